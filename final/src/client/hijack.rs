//! A hijacked connection: after `101 UPGRADED` it carries a program's streams.
//!
//! To the engine go the bytes of standard input; its end is told by closing our half of the
//! connection while the other half stays open. From the engine comes, with a terminal, the raw
//! output; without one, output and errors in frames: `[1|2, 0, 0, 0]`, the length as a 32-bit
//! big-endian number, and so many bytes (Docker Engine API, "Attach to a container").

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// The half that comes from the engine.
pub type Incoming = ReadHalf<TokioIo<Upgraded>>;
/// The half that goes to the engine.
pub type Outgoing = WriteHalf<TokioIo<Upgraded>>;

/// Splits an upgraded connection into its two directions.
pub fn split(upgraded: Upgraded) -> (Incoming, Outgoing) {
    tokio::io::split(TokioIo::new(upgraded))
}

/// Tells the engine that standard input has ended; output goes on.
pub async fn close_input(outgoing: &mut Outgoing) {
    // The engine may have hung up already: then it knows.
    let _ = outgoing.shutdown().await;
}

/// The next bytes from the engine; `None` at the end. A connection that breaks off is an end as
/// well: whether the program ended well is for `wait` to say.
pub async fn receive<'a>(incoming: &mut Incoming, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match incoming.read(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(length) => Some(&buffer[..length]),
    }
}

/// To which of our own streams something belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output; all there is, with a terminal.
    Output,
    /// Standard error.
    Errors,
}

/// Takes frames apart, wherever the network has cut them: a header may arrive in pieces, and a
/// frame of gigabytes is never collected in memory.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; 8],
    /// How much of `header` has been read.
    have: usize,
    /// How much of the current frame is still to come.
    left: usize,
}

impl Frames {
    /// The beginning of a stream.
    pub fn new() -> Frames {
        Frames::default()
    }

    /// Takes the next piece off the front of `input`.
    ///
    /// # Errors
    /// A stream number that the protocol does not know: this is no framed stream.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<(Channel, &'a [u8])>, String> {
        while !input.is_empty() {
            if self.left > 0 {
                let (piece, rest) = input.split_at(self.left.min(input.len()));
                self.left -= piece.len();
                *input = rest;
                return Ok(Some((self.channel()?, piece)));
            }
            let (piece, rest) = input.split_at((8 - self.have).min(input.len()));
            self.header[self.have..self.have + piece.len()].copy_from_slice(piece);
            self.have += piece.len();
            *input = rest;
            if self.have == 8 {
                self.channel()?;
                let [.., a, b, c, d] = self.header;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.have = 0;
            }
        }
        Ok(None)
    }

    fn channel(&self) -> Result<Channel, String> {
        match self.header[0] {
            0 | 1 => Ok(Channel::Output),
            2 => Ok(Channel::Errors),
            // 3 is the engine's own trouble, told on standard error.
            3 => Ok(Channel::Errors),
            other => Err(format!("stream number {other} in a frame's header: this is no framed stream")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(pieces: &[&[u8]]) -> Result<(String, String), String> {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut frames = Frames::new();
        for mut piece in pieces.iter().copied() {
            while let Some((channel, bytes)) = frames.next(&mut piece)? {
                match channel {
                    Channel::Output => output.extend_from_slice(bytes),
                    Channel::Errors => errors.extend_from_slice(bytes),
                }
            }
        }
        Ok((String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap()))
    }

    const WIRE: &[u8] =
        b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01!";

    #[test]
    fn output_and_errors_are_told_apart() {
        assert_eq!(collect(&[WIRE]).unwrap(), ("out!".into(), "err".into()));
    }

    #[test]
    fn frames_may_be_cut_anywhere() {
        for at in 0..WIRE.len() {
            assert_eq!(collect(&[&WIRE[..at], &WIRE[at..]]).unwrap(), ("out!".into(), "err".into()));
        }
        let single: Vec<&[u8]> = WIRE.chunks(1).collect();
        assert_eq!(collect(&single).unwrap(), ("out!".into(), "err".into()));
    }

    #[test]
    fn what_is_not_framed_is_refused() {
        assert!(collect(&[b"hello, world"]).unwrap_err().contains("stream number 104"));
    }
}
