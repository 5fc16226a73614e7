//! mdBook's own words, which are English whatever the book's language: what its buttons say, and to whom a
//! screen reader reads them. In the Spanish book they are put into Spanish after it was built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What mdBook 0.5 writes, and what we write in its place; with what stands around it, so that no text of
/// ours is taken for it.
const WORDS: [(&str, &str); 24] = [
    ("\"Change theme\"", "\"Cambiar de tema\""),
    ("\"Next chapter\"", "\"Capítulo siguiente\""),
    ("\"Previous chapter\"", "\"Capítulo anterior\""),
    ("\"Page navigation\"", "\"Entre páginas\""),
    ("\"Print this book\"", "\"Imprimir este libro\""),
    ("\"Table of contents\"", "\"Índice\""),
    ("\"Themes\"", "\"Temas\""),
    ("\"Toggle Searchbar\"", "\"Mostrar u ocultar la búsqueda\""),
    ("\"Toggle Table of Contents\"", "\"Mostrar u ocultar el índice\""),
    ("\"Search this book ...\"", "\"Buscar en este libro…\""),
    ("\"Search (`/`)\"", "\"Buscar (`/`)\""),
    (">Keyboard shortcuts<", ">Atajos de teclado<"),
    (
        ">Press <kbd>←</kbd> or <kbd>→</kbd> to navigate between chapters<",
        "><kbd>←</kbd> o <kbd>→</kbd>: el capítulo anterior o el siguiente<",
    ),
    (
        ">Press <kbd>S</kbd> or <kbd>/</kbd> to search in the book<",
        "><kbd>S</kbd> o <kbd>/</kbd>: buscar en el libro<",
    ),
    (">Press <kbd>?</kbd> to show this help<", "><kbd>?</kbd>: mostrar esta ayuda<"),
    (">Press <kbd>Esc</kbd> to hide this help<", "><kbd>Esc</kbd>: ocultar esta ayuda<"),
    (">Auto<", ">Automático<"),
    (">Light<", ">Claro<"),
    (">Rust<", ">Óxido<"),
    (">Coal<", ">Carbón<"),
    (">Navy<", ">Azul marino<"),
    ("'Copy to clipboard'", "'Copiar'"),
    ("'Copied!'", "'¡Copiado!'"),
    ("'No search results for \\''", "'No se encontró nada de \\''"),
];

/// The same, where it is code.
const COUNTED: [(&str, &str); 2] = [
    ("count + ' search result for \\''", "count + ' resultado de \\''"),
    ("count + ' search results for \\''", "count + ' resultados de \\''"),
];

/// Puts mdBook's words into Spanish, in the pages and scripts of the built book in `site`.
///
/// # Errors
/// If mdBook doesn't say one of them: another version may have other words.
pub fn put_into_spanish(site: &Path) -> Result<()> {
    let words: Vec<_> = WORDS.iter().chain(&COUNTED).collect();
    let mut found = vec![false; words.len()];
    for entry in fs::read_dir(site).with_context(|| format!("reading {}", site.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let script = ["book-", "searcher-"].iter().any(|script| name.starts_with(script));
        if !script && !name.ends_with(".html") {
            continue;
        }
        let doing = || format!("translating {}", path.display());
        let mut text = fs::read_to_string(&path).with_context(doing)?;
        for ((english, spanish), found) in words.iter().zip(&mut found) {
            *found |= text.contains(english);
            text = text.replace(english, spanish);
        }
        fs::write(&path, text).with_context(doing)?;
    }
    let missing: Vec<_> =
        words.iter().zip(found).filter(|(_, found)| !found).map(|(word, _)| word.0).collect();
    ensure!(missing.is_empty(), "mdBook has other words than those that are put into Spanish: {missing:?}");
    Ok(())
}
