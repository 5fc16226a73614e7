//! An exercise's region in a source file: the lines between its two anchors.
//!
//! ```text
//! // ANCHOR: ex-03-2
//! // 1. Turn the controller on in the parent.        ← a step: it stays in the blank
//! files::write(&parent, "+memory")?;                  ← the answer: it goes
//! // ANCHOR_END: ex-03-2
//! ```
//!
//! They are mdBook's own marks, so that book, exercise and reference are one text. Everything here is
//! about text alone; no file is touched.

use std::fmt;
use std::ops::Range;

/// Where a region's own lines are in the text: the bytes between the two anchor lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    bytes: Range<usize>,
    /// The line of the first anchor, from 1, as editors count.
    pub line: usize,
}

/// Why there is no region to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Neither of its anchors is there.
    Gone,
    /// One of them is.
    Half,
    /// One of them is there more than once, or they stand the wrong way round.
    Mixed,
    /// A merge has left its marks in it.
    Conflict,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::Gone => "its anchors are gone",
            Broken::Half => "one of its two anchors is gone",
            Broken::Mixed => "its anchors are there more than once, or the wrong way round",
            Broken::Conflict => "a merge left its conflict marks in it",
        })
    }
}

impl Broken {
    /// The same in Spanish.
    pub fn spanish(self) -> &'static str {
        match self {
            Broken::Gone => "sus anclas no están",
            Broken::Half => "falta una de sus dos anclas",
            Broken::Mixed => "sus anclas están repetidas, o en orden inverso",
            Broken::Conflict => "una fusión dejó en ella sus marcas de conflicto",
        }
    }
}

/// What somebody has made of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it was handed out.
    Reference,
    /// Blanked, and nothing written yet.
    Blank,
    /// The learner's own text.
    Answer,
}

/// Finds the region of the exercise with this id.
pub fn find(text: &str, id: &str) -> Result<Region, Broken> {
    let (mut begin, mut end) = (vec![], vec![]);
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if anchor(line, "ANCHOR:") == Some(id) {
            begin.push((offset + line.len(), number + 1));
        } else if anchor(line, "ANCHOR_END:") == Some(id) {
            end.push(offset);
        }
        offset += line.len();
    }
    match (&begin[..], &end[..]) {
        ([], []) => Err(Broken::Gone),
        ([], _) | (_, []) => Err(Broken::Half),
        ([(from, line)], [to]) if from <= to => {
            let region = Region { bytes: *from..*to, line: *line };
            let conflict = |line: &str| ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark));
            if region.of(text).lines().any(conflict) { Err(Broken::Conflict) } else { Ok(region) }
        }
        _ => Err(Broken::Mixed),
    }
}

/// The ids of all exercises whose first anchor is in this text.
pub fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| anchor(line, "ANCHOR:")).filter(|id| id.starts_with("ex-"))
}

fn anchor<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.trim().strip_prefix("//")?.trim_start().strip_prefix(mark).map(str::trim)
}

impl Region {
    /// Its lines, each with its line end.
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.bytes.clone()).unwrap_or_default()
    }

    /// The whole text with other lines in this region.
    pub fn replaced(&self, text: &str, lines: &str) -> String {
        let (before, after) = (&text[..self.bytes.start], &text[self.bytes.end..]);
        let end = if lines.is_empty() || lines.ends_with('\n') { "" } else { "\n" };
        format!("{before}{lines}{end}{after}")
    }
}

/// What stands in a region, given what the reference has there.
pub fn state(lines: &str, id: &str, reference: &str) -> State {
    if same(lines, reference) {
        State::Reference
    } else if lines.contains(&format!("todo!(\"{id}:")) {
        State::Blank
    } else {
        State::Answer
    }
}

/// Whether two texts are the same but for line ends: git may turn them around on a checkout.
pub fn same(one: &str, other: &str) -> bool {
    one.lines().eq(other.lines())
}

/// A region's text without its answer: the numbered steps, and a `todo!` that names the exercise.
///
/// `uses` are expressions for what only the answer uses, so that the compiler doesn't call it unused:
/// `pid, Self::write`.
pub fn blank(lines: &str, id: &str, title: &str, uses: &str) -> String {
    let first = lines.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let indent = &first[..first.len() - first.trim_start().len()];
    let mut text = String::new();
    let mut in_step = false;
    for line in lines.lines().map(str::trim) {
        in_step = line.starts_with("//") && (in_step || is_step(line));
        if in_step {
            text += &format!("{indent}{line}\n");
        }
    }
    if !uses.is_empty() {
        let tuple = if uses.contains(", ") { format!("({uses})") } else { format!("&{uses}") };
        let line = format!("{indent}let _ = {tuple};\n");
        text += &if line.len() > WIDTH {
            format!("{indent}let _ = (\n{});\n", filled(uses, indent))
        } else {
            line
        };
    }
    text + &format!("{indent}todo!(\"{id}: {}\")\n", title.replace(['"', '\\', '{', '}'], "'"))
}

/// As wide as this repository's lines are, at the most.
const WIDTH: usize = 110;

/// A list's parts, in lines of their own.
fn filled(uses: &str, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for part in uses.split_inclusive(", ") {
        if !line.is_empty() && indent.len() + 4 + line.len() + part.len() > WIDTH {
            lines += &format!("{indent}    {}\n", line.trim_end());
            line.clear();
        }
        line += part;
    }
    lines + &format!("{indent}    {line},\n{indent}")
}

/// `// 2. Write the map.`
fn is_step(line: &str) -> bool {
    let words = line.trim_start_matches('/').trim_start();
    words.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
fn limit(group: &Path, bytes: u64) -> Result<()> {
    // ANCHOR: ex-03-1
    // 1. Find the file that holds the limit,
    //    for the version of this machine.
    let file = group.join(\"memory.max\");
    // Nobody but us writes there.
    if bytes > 0 {
        // 2. Write the number.
        fs::write(file, bytes.to_string())?;
    }
    Ok(())
    // ANCHOR_END: ex-03-1
}
";

    #[test]
    fn the_blank_keeps_the_steps_in_their_order_and_drops_all_else() {
        let region = find(FILE, "ex-03-1").unwrap();
        assert_eq!(region.line, 2);
        let blank = blank(region.of(FILE), "ex-03-1", "Limit the \"memory\"", "group, bytes");
        assert_eq!(
            blank,
            "    // 1. Find the file that holds the limit,\n    //    for the version of this machine.\n    \
             // 2. Write the number.\n    let _ = (group, bytes);\n    todo!(\"ex-03-1: Limit the 'memory'\")\n"
        );
        assert_eq!(state(&blank, "ex-03-1", region.of(FILE)), State::Blank);
    }

    #[test]
    fn a_long_list_of_what_the_answer_uses_is_no_long_line() {
        let uses = (0..30).map(|number| format!("word_{number}")).collect::<Vec<_>>().join(", ");
        let blank = blank("    1\n", "ex-03-1", "t", &uses);
        assert!(blank.lines().all(|line| line.len() <= WIDTH && line.starts_with("    ")), "{blank}");
        let list = blank.split_once("let _ = (\n").unwrap().1.split_once(",\n    );\n").unwrap().0;
        assert_eq!(list.split_whitespace().collect::<Vec<_>>().join(" "), uses);
    }

    #[test]
    fn what_was_replaced_and_put_back_is_the_same_to_the_byte() {
        let region = find(FILE, "ex-03-1").unwrap();
        let answer = region.of(FILE).to_owned();
        let blanked = region.replaced(FILE, &blank(&answer, "ex-03-1", "t", ""));
        assert_ne!(blanked, FILE);
        let region = find(&blanked, "ex-03-1").unwrap();
        assert_eq!(region.replaced(&blanked, &answer), FILE);
    }

    #[test]
    fn a_region_that_somebody_broke_says_how() {
        let cases = [
            (FILE.replace("    // ANCHOR: ex-03-1\n", ""), Broken::Half),
            (FILE.replace("    // ANCHOR_END: ex-03-1\n", ""), Broken::Half),
            (FILE.replace("ex-03-1", "ex-03-9"), Broken::Gone),
            (FILE.repeat(2), Broken::Mixed),
            (
                FILE.replace("ANCHOR:", "A:").replace("ANCHOR_END:", "ANCHOR:").replace("A:", "ANCHOR_END:"),
                Broken::Mixed,
            ),
            (FILE.replace("    if bytes", "<<<<<<< HEAD\n    if bytes"), Broken::Conflict),
        ];
        for (text, broken) in cases {
            assert_eq!(find(&text, "ex-03-1"), Err(broken), "{text}");
        }
    }

    #[test]
    fn a_longer_id_is_another_exercise() {
        assert_eq!(find(FILE, "ex-03"), Err(Broken::Gone));
        assert_eq!(find(&FILE.replace("ex-03-1", "ex-03-11"), "ex-03-1"), Err(Broken::Gone));
        assert_eq!(ids(FILE).collect::<Vec<_>>(), ["ex-03-1"]);
    }

    #[test]
    fn line_ends_of_another_system_are_no_answer() {
        let region = find(FILE, "ex-03-1").unwrap();
        let windows = region.of(FILE).replace('\n', "\r\n");
        assert_eq!(state(&windows, "ex-03-1", region.of(FILE)), State::Reference);
        assert_eq!(state("    Ok(())\n", "ex-03-1", region.of(FILE)), State::Answer);
    }
}
