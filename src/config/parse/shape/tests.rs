//! Backends, operations and static data as files write them.
