//! The language of the messages: Spanish or English.

/// A language that this program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English, also for everybody whose language we don't speak.
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// `--lang es`, else what the environment says, in POSIX's order: LC_ALL, LC_MESSAGES, LANG (the
    /// Base Definitions, section 8.2). An unknown `--lang` is refused later, with the other words.
    pub fn chosen(
        words: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Language {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let value = match word.strip_prefix("--lang") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => None,
            };
            if let Some(value) = value {
                return Language::of_locale(&value);
            }
        }
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| variable(name))
            .find(|value| !value.is_empty())
            .map_or(Language::English, |value| Language::of_locale(&value))
    }

    /// `es`, `es_MX.UTF-8`, `es-419` are Spanish.
    fn of_locale(locale: &str) -> Language {
        match locale.split(['_', '-', '.', '@']).next() {
            Some("es") => Language::Spanish,
            _ => Language::English,
        }
    }

    /// The one of two texts that is in this language.
    pub fn pick<'a>(self, english: &'a str, spanish: &'a str) -> &'a str {
        match self {
            Language::English => english,
            Language::Spanish => spanish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str], environment: &[(&str, &str)]) -> Language {
        Language::chosen(words.iter().map(|word| (*word).to_owned()), |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_flag_comes_before_the_environment() {
        assert_eq!(chosen(&["doctor", "--lang", "es"], &[("LANG", "en_US.UTF-8")]), Language::Spanish);
        assert_eq!(chosen(&["--lang=en"], &[("LANG", "es_MX.UTF-8")]), Language::English);
    }

    #[test]
    fn the_environment_is_read_in_the_order_of_posix() {
        assert_eq!(chosen(&[], &[("LANG", "es_AR.UTF-8")]), Language::Spanish);
        assert_eq!(chosen(&[], &[("LC_ALL", "C"), ("LANG", "es_AR.UTF-8")]), Language::English);
        assert_eq!(chosen(&[], &[("LC_ALL", ""), ("LC_MESSAGES", "es"), ("LANG", "en")]), Language::Spanish);
    }

    #[test]
    fn who_speaks_neither_gets_english() {
        assert_eq!(chosen(&[], &[]), Language::English);
        assert_eq!(chosen(&[], &[("LANG", "est_EE.UTF-8")]), Language::English);
        assert_eq!(chosen(&["--lang"], &[]), Language::English);
    }
}
