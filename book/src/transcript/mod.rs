//! Transcripts: what the book says that a machine prints is run on one, and compared.
//!
//! A page is read ([`read`]), run ([`run`]) in shells ([`terminal`]) behind walls of its own ([`lab`]),
//! and what they print compared with what the page says ([`compare`]).

mod compare;
pub mod lab;
pub mod read;
mod run;
mod terminal;
