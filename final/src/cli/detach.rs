//! The keys that leave a program alone: ctrl-p ctrl-q, or what `--detach-keys` says.

/// Looks for the keys in what is typed, across reads: a terminal sends them one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    sequence: Vec<u8>,
    /// How many of them have just been typed. They are held back until it is clear what they are.
    matched: usize,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys { sequence: vec![0x10, 0x11], matched: 0 }
    }
}

impl Keys {
    /// Reads `ctrl-p,ctrl-q`, `a,b`: single characters, or `ctrl-` and one of `a`-`z @ [ \ ] ^ _`.
    ///
    /// # Errors
    /// The key that is not understood.
    pub fn parse(text: &str) -> Result<Keys, String> {
        let key = |name: &str| -> Option<u8> {
            match *name.as_bytes() {
                [c] => Some(c),
                [b'c', b't', b'r', b'l', b'-', c @ (b'a'..=b'z' | b'@' | b'['..=b'_')] => Some(c & 0x1f),
                _ => None,
            }
        };
        let keys = text
            .split(',')
            .map(|name| key(name).ok_or_else(|| format!("{name:?} is no key: write ctrl-p,ctrl-q")));
        Ok(Keys { sequence: keys.collect::<Result<_, _>>()?, matched: 0 })
    }

    /// What of `typed` goes to the program, and whether the keys are complete.
    pub fn filter(&mut self, typed: Vec<u8>) -> (Vec<u8>, bool) {
        let mut pass = Vec::with_capacity(typed.len());
        for byte in typed {
            if byte == self.sequence[self.matched] {
                self.matched += 1;
                if self.matched == self.sequence.len() {
                    self.matched = 0;
                    return (pass, true);
                }
                continue;
            }
            pass.extend_from_slice(&self.sequence[..self.matched]);
            self.matched = usize::from(byte == self.sequence[0]);
            if self.matched == 0 {
                pass.push(byte);
            } else if self.sequence.len() == 1 {
                self.matched = 0;
                return (pass, true);
            }
        }
        (pass, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(keys: &mut Keys, pieces: &[&str]) -> (String, bool) {
        let mut all = String::new();
        for piece in pieces {
            let (pass, detached) = keys.filter(piece.as_bytes().to_vec());
            all.push_str(&String::from_utf8(pass).unwrap());
            if detached {
                return (all, true);
            }
        }
        (all, false)
    }

    #[test]
    fn ctrl_p_ctrl_q_leaves_also_when_typed_slowly() {
        assert_eq!(type_in(&mut Keys::default(), &["ls\r\x10\x11"]), ("ls\r".into(), true));
        assert_eq!(type_in(&mut Keys::default(), &["\x10", "\x11"]), (String::new(), true));
        assert_eq!(type_in(&mut Keys::default(), &["\x10\x10", "\x11"]), ("\x10".into(), true));
    }

    #[test]
    fn ctrl_p_alone_reaches_the_program_with_the_next_key() {
        assert_eq!(type_in(&mut Keys::default(), &["\x10", "a"]), ("\x10a".into(), false));
    }

    #[test]
    fn other_keys_can_be_chosen() {
        assert_eq!(Keys::parse("ctrl-@,x").unwrap().sequence, [0, b'x']);
        assert_eq!(type_in(&mut Keys::parse("ctrl-a").unwrap(), &["b\x01"]), ("b".into(), true));
        assert!(Keys::parse("ctrl-").is_err());
        assert!(Keys::parse("").is_err());
        assert!(Keys::parse("ctrl-p,").is_err());
    }
}
