//! Connections: refused, broken, distrusted, by a proxy.
