//! The path and query of a request.

/// A path under construction: `Path::new("/containers").name("web").end("/logs").query("follow", 1)`.
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    separator: char,
}

impl Path {
    /// Begins with a fixed part.
    pub fn new(start: &str) -> Path {
        Path { text: start.to_owned(), separator: '?' }
    }

    /// Appends `/` and a name that a person gave: one component, whatever is in it.
    pub fn name(mut self, name: &str) -> Path {
        self.text.push('/');
        encode(&mut self.text, name, "");
        self
    }

    /// Appends `/` and an image's name, whose `/`, `:` and `@` stay as they are.
    pub fn image(mut self, name: &str) -> Path {
        self.text.push('/');
        encode(&mut self.text, name, "/:@");
        self
    }

    /// Appends a fixed part.
    pub fn end(mut self, end: &str) -> Path {
        self.text.push_str(end);
        self
    }

    /// Appends one parameter of the query.
    pub fn query(mut self, key: &str, value: impl ToString) -> Path {
        self.text.push(self.separator);
        self.separator = '&';
        encode(&mut self.text, key, "");
        self.text.push('=');
        encode(&mut self.text, &value.to_string(), "/:");
        self
    }

    /// Appends a parameter only where there is a value.
    pub fn maybe(self, key: &str, value: Option<impl ToString>) -> Path {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// Appends `key=1` when it is so.
    pub fn flag(self, key: &str, set: bool) -> Path {
        if set { self.query(key, 1) } else { self }
    }

    /// What goes into the request.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Percent-encoding of RFC 3986: all but the unreserved characters and those in `keep`.
fn encode(to: &mut String, text: &str, keep: &str) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || keep.contains(c) {
            to.push(c);
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_component() {
        let path = Path::new("/containers").name("../x?a=ñ").end("/json").flag("size", true);
        assert_eq!(path.as_str(), "/containers/..%2Fx%3Fa%3D%C3%B1/json?size=1");
    }

    #[test]
    fn an_image_keeps_its_slashes_and_its_tag() {
        let path = Path::new("/images").image("127.0.0.1:5000/debian:12").end("/json");
        assert_eq!(path.as_str(), "/images/127.0.0.1:5000/debian:12/json");
    }

    #[test]
    fn parameters_are_joined_by_ampersands() {
        let path = Path::new("/x").query("a", "1 2").maybe("b", None::<&str>).query("c", "{\"k\"}");
        assert_eq!(path.as_str(), "/x?a=1%202&c=%7B%22k%22%7D");
    }
}
