//! What an idle node costs on the wire.
