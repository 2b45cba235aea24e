//! The rack: a cluster of real corosyncs in network namespaces on this machine, with a real agent in each node, cables
//! to cut, switches to kill and nodes to stop.
