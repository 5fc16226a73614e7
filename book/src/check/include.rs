//! Quoted code: every `{{#include}}` must resolve to text that is not empty.

use std::path::Path;

use super::page::{Include, Page};
use crate::quote;

/// Checks what `page`, the file at `path`, quotes. `home` is the repository's folder.
pub fn problems(home: &Path, path: &Path, page: &Page) -> Vec<(usize, String)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    page.includes.iter().filter_map(|include| Some((include.line, problem(home, folder, include)?))).collect()
}

fn problem(home: &Path, folder: &Path, include: &Include) -> Option<String> {
    let (path, anchor) = (&include.path, include.anchor.as_deref());
    let error = quote::quote(home, &folder.join(path), anchor).err()?;
    let name = anchor.map_or_else(|| path.clone(), |anchor| format!("{path}:{anchor}"));
    Some(format!("quotes {name}, {error:#}"))
}
