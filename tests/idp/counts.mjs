// What the tests ask for under /__admin/stats, and what every server here adds to.
const zero = () => ({
  token_requests: 0, in_flight: 0, max_in_flight: 0, by_status: {}, connections: 0, revocations: 0,
  discovery_requests: 0, discovery_by_path: {}, resource_requests: 0, resource_by_status: {},
});

export const counts = zero();
export const tally = (table, key) => { table[key] = (table[key] ?? 0) + 1; };

// What is under way stays counted: it will be subtracted when it ends.
export const forgetCounts = () => Object.assign(counts, zero(), { in_flight: counts.in_flight });
