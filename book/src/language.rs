//! The two languages of the book, of equal rank.

/// One of the book's languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// Its code, which is also the name of its folder: `en`, `es`.
    pub code: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    /// What a page says, in this language, to send readers of it over from the other one.
    pub invitation: &'static str,
}

/// Both of them. The order is the alphabet's.
pub const LANGUAGES: [Language; 2] = [
    Language { code: "en", name: "English", invitation: "This page in English" },
    Language { code: "es", name: "Español", invitation: "Esta página en español" },
];

impl Language {
    /// The one of two texts that is in this language.
    pub fn pick<T>(self, english: T, spanish: T) -> T {
        if self == LANGUAGES[0] { english } else { spanish }
    }

    /// What the workshop calls it.
    pub fn of_workshop(self) -> workshop::language::Language {
        self.pick(workshop::language::Language::English, workshop::language::Language::Spanish)
    }

    /// The other language.
    pub fn other(self) -> Language {
        if self == LANGUAGES[0] { LANGUAGES[1] } else { LANGUAGES[0] }
    }
}
