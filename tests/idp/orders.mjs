// What a test has ordered: it holds for the next `count` requests, or for all until the next order.
export class Order {
  current = null;

  // Nothing, unless the order says what.
  set(order, what) {
    this.current = what ? { ...order, count: order.count ?? Infinity } : null;
  }

  take() {
    if (!this.current || this.current.count <= 0) return null;
    this.current.count -= 1;
    return this.current;
  }
}
