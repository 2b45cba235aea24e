//! Where health and metrics are answered.

use std::net::SocketAddr;

use settings::value::refused;
use settings::{Taken, Value};

use super::value::socket_address;

/// "" stands for none. Who is not on this machine would have to log in, and by TLS.
pub(super) fn listen(value: &Value<'_>) -> Taken<Option<SocketAddr>> {
    const ALLOWED: &str = "an address of this machine alone, such as \"127.0.0.1:7463\" or \"[::1]:7463\", because whoever asks \
                           there needs no login and sees no TLS";
    if value.as_str() == Some("") {
        return Ok(None);
    }
    let address = socket_address(value)?;
    if address.ip().to_canonical().is_loopback() {
        return Ok(Some(address));
    }
    Err(refused(ALLOWED, format_args!("\"{address}\"")))
}
