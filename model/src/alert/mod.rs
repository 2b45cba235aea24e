//! What chats are told of incidents.

mod message;

pub use message::{
    HEADLINE_LETTERS, Kind, Line, MAX_EVIDENCE, MAX_OTHERS, Message, cut, cut_bytes, lasting,
    moment,
};
