//! Lists of processors or memory nodes as the kernel writes them: `0-3,7`.
//!
//! Source: "List format" in [cpuset(7)](https://man7.org/linux/man-pages/man7/cpuset.7.html).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberList(BTreeSet<u32>);

/// No Linux has more processors (`NR_CPUS`). Without a bound, `0-4294967295` would fill our memory.
const MOST: u32 = 8192;

impl NumberList {
    /// Those that the other list doesn't have.
    pub fn without(&self, other: &NumberList) -> NumberList {
        NumberList(self.0.difference(&other.0).copied().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for NumberList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("invalid list: {text:?}: write numbers and ranges, as in 0-3,7");
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number < MOST && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
            _ => Err(wrong()),
        };
        let mut numbers = BTreeSet::new();
        for part in text.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(wrong());
            }
            numbers.extend(first..=last);
        }
        Ok(NumberList(numbers))
    }
}

impl fmt::Display for NumberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> NumberList {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_is_written_as_the_kernel_writes_it() {
        for (text, same) in
            [("0", "0"), ("0-3,7", "0-3,7"), ("3,1,2", "1-3"), ("1-1,1\n", "1"), ("8191", "8191")]
        {
            assert_eq!(list(text).to_string(), same);
        }
        assert_eq!(list("0-3,9").without(&list("1-5")).to_string(), "0,9");
        assert!(list("0-3").without(&list("0-7")).is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused_and_shown() {
        for text in [
            "",
            ",",
            "0,",
            "-",
            "1-",
            "-1",
            "3-1",
            "0-8192",
            "0-4294967295",
            "99999999999999999999",
            "a",
            "+1",
            "0x1",
            "1 2",
            "0-3:2/4",
            "all",
            "١",
            "0\0",
            "1--2",
            "1-2-3",
        ] {
            let error = text.parse::<NumberList>().unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
