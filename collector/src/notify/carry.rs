//! Carries a request out and brings the answer back: the one place where anything of a chat touches the network.
