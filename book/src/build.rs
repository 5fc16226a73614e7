//! Builds the site: one mdBook for each language, and a page in front of them to choose.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mdbook_driver::MDBook;

use crate::expand::{Place, expand};
use crate::language::{LANGUAGES, Language};
use crate::{interface, search};

/// Builds both languages of the book in `book` into `site`, which it returns.
pub fn build(book: &Path, site: &Path) -> Result<PathBuf> {
    for language in LANGUAGES {
        build_language(&book.join(language.code), &site.join(language.code), language)
            .with_context(|| format!("building the book in {}", language.name))?;
    }
    let index = site.join("index.html");
    fs::write(&index, choice()).with_context(|| format!("writing {}", index.display()))?;
    Ok(site.to_owned())
}

fn build_language(source: &Path, target: &Path, language: Language) -> Result<()> {
    let mut book = MDBook::load(source)?;
    book.config.build.build_dir = target.to_owned();
    // Both trees have the same pages, so that each page knows its twin's address.
    let pages = source.join(&book.config.book.src);
    let home = source.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut expanded = Ok(());
    book.book.for_each_chapter_mut(|chapter| {
        let Some(path) = &chapter.path else { return };
        let folder = pages.join(path.parent().unwrap_or(Path::new("")));
        match expand(&chapter.content, &Place { home, folder: &folder, language }) {
            Ok(content) => {
                chapter.content = format!("{}\n\n{content}", link_to_twin(path, language.other()));
            }
            Err(error) => expanded = Err(error.context(format!("{}", folder.join(&chapter.name).display()))),
        }
    });
    expanded?;
    book.build()?;
    if language.code == "es" {
        search::without_accents(target)?;
        interface::put_into_spanish(target)?;
    }
    Ok(())
}

/// The line at the top of a page which leads to the same page in the other language. Plain HTML: it
/// works without JavaScript.
fn link_to_twin(page: &Path, other: Language) -> String {
    // One step up leaves the language's folder; each folder that the page is in adds one more.
    let up = "../".repeat(page.components().count());
    let page = page.with_extension("html");
    let Language { code, invitation, .. } = other;
    format!(
        r#"<p><a href="{up}{code}/{}" hreflang="{code}" lang="{code}">{invitation}</a></p>"#,
        page.display()
    )
}

/// The page in front of both.
fn choice() -> String {
    let choices: String = LANGUAGES
        .iter()
        .map(|l| {
            format!(
                "<li><a href=\"{0}/index.html\" hreflang=\"{0}\" lang=\"{0}\">{1}</a></li>\n",
                l.code, l.name
            )
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>canoa</title>\n\
         <style>\n\
         :root {{ color-scheme: light dark; }}\n\
         body {{ font: 1.2rem/1.6 system-ui, sans-serif; max-width: 30rem; margin: 15vh auto; padding: 0 1rem; }}\n\
         </style>\n\
         </head>\n\
         <body>\n\
         <h1>canoa</h1>\n\
         <p>Build a container engine in six lessons.</p>\n\
         <p lang=\"es\">Construye un motor de contenedores en seis lecciones.</p>\n\
         <ul>\n{choices}</ul>\n\
         </body>\n\
         </html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_links_to_the_same_page_in_the_other_language() {
        let [english, spanish] = LANGUAGES;
        assert!(link_to_twin(Path::new("glossary.md"), spanish).contains(r#"href="../es/glossary.html""#));
        assert!(
            link_to_twin(Path::new("deep/page.md"), english).contains(r#"href="../../en/deep/page.html""#)
        );
    }

    #[test]
    fn both_languages_are_built_with_a_page_to_choose() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path();
        build(&crate::home(), site).unwrap();
        let choice = fs::read_to_string(site.join("index.html")).unwrap();
        for language in LANGUAGES {
            assert!(choice.contains(&format!("{}/index.html", language.code)));
            let page = fs::read_to_string(site.join(language.code).join("01-namespaces.html")).unwrap();
            assert!(
                page.contains(&format!(r#"<html lang="{}""#, language.code)),
                "the page declares its language"
            );
            assert!(page.contains(&format!("../{}/01-namespaces.html", language.other().code)));
            assert!(!page.contains("{{#"), "no directive of mdBook is left as it was written");
            let next = language.pick("\"Next chapter\"", "\"Capítulo siguiente\"");
            assert!(page.contains(next), "its buttons speak the page's language");
            let page = fs::read_to_string(site.join(language.code).join("introduction.html")).unwrap();
            assert!(
                page.contains(r#"id="picture-processes-title""#),
                "the pictures stand in the page, where they follow its theme"
            );
            assert!(!page.contains("&lt;svg") && !page.contains("&lt;rect"), "and aren't taken for text");
        }
    }
}
