//! What is looked at on the visits.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use book::{LANGUAGES, Language};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::Chromium;

/// A telephone's width, and a desk's.
const WIDTHS: [u32; 2] = [360, 1280];

/// What people's machines prefer.
const THEMES: [&str; 2] = ["light", "dark"];

/// The built site, served on loopback.
pub struct Site {
    folder: TempDir,
    address: SocketAddr,
}

impl Site {
    /// Builds it.
    pub fn built() -> Result<Site> {
        let folder = tempfile::tempdir()?;
        book::build(&book::home(), folder.path())?;
        let address = book::in_background(folder.path())?;
        Ok(Site { folder, address })
    }

    fn page(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Every page: `en/index.html` and so on, and the one in front of both.
    fn pages(&self) -> Result<Vec<String>> {
        let mut pages = vec!["index.html".to_owned()];
        for language in LANGUAGES {
            let names = self.pages_in(language)?;
            pages.extend(names.into_iter().map(|name| format!("{}/{name}", language.code)));
        }
        Ok(pages)
    }

    /// A language's pages by the names of their files; not the frame with the table of contents.
    fn pages_in(&self, language: Language) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.path().join(language.code))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".html") && name != "toc.html" {
                names.push(name);
            }
        }
        names.sort();
        ensure!(names.len() > 8, "the book in {} has pages: {names:?}", language.name);
        Ok(names)
    }
}

/// On every screen, in every theme: nothing sticks out, and the browser has nothing to complain of.
pub fn every_page_fits(site: &Site) -> Result<()> {
    let mut browser = Chromium::start()?;
    let mut problems = Vec::new();
    for page in site.pages()? {
        for width in WIDTHS {
            for theme in THEMES {
                let found = look_at(&mut browser, &site.page(&page), width, theme)?;
                let place = format!("{page}, {width} pixels, {theme}");
                problems.extend(found.iter().map(|problem| format!("{place}: {problem}")));
                keep_a_picture(&mut browser, &format!("{page}-{width}-{theme}"))?;
            }
        }
    }
    ensure!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
    Ok(())
}

/// What is wrong with the page at this width and in this theme.
fn look_at(browser: &mut Chromium, address: &str, width: u32, theme: &str) -> Result<Vec<String>> {
    let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
    browser.command("Emulation.setDeviceMetricsOverride", screen)?;
    let theme_wanted = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
    browser.command("Emulation.setEmulatedMedia", theme_wanted)?;
    let mut problems = browser.visit(address)?;
    let said = browser.evaluate(&WHAT_STICKS_OUT.replace("WIDTH", &width.to_string()))?;
    problems.extend(said.as_array().into_iter().flatten().map(Value::to_string));
    let light = browser.evaluate(IS_LIGHT)? == true;
    if light != (theme == "light") {
        problems.push("has the other theme's background".to_owned());
    }
    Ok(problems)
}

/// The elements that reach beyond the screen, if they aren't in something that scrolls by itself.
const WHAT_STICKS_OUT: &str = r#"(() => {
    const scrolls = e => e && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX) && e !== document.body
        && e !== document.documentElement || scrolls(e.parentElement));
    const out = [];
    // A scroll bar takes some of it.
    const width = Math.min(WIDTH, document.documentElement.clientWidth);
    if (document.documentElement.scrollWidth > width) out.push('the page scrolls sideways');
    for (const e of document.querySelectorAll('main *, body > :not(script)')) {
        const box = e.getBoundingClientRect();
        if (box.width > 0 && box.right > width + 1 && !scrolls(e.parentElement) && !scrolls(e))
            out.push(`<${e.tagName}> reaches to ${box.right}: ${e.textContent.trim().slice(0, 60)}`);
    }
    return out.slice(0, 5);
})()"#;

/// Whether what is behind the text is rather light.
const IS_LIGHT: &str = r#"(() => {
    const paint = document.createElement('canvas').getContext('2d');
    let color = 'rgba(0, 0, 0, 0)';
    for (const e of [document.body, document.documentElement]) {
        const own = getComputedStyle(e).backgroundColor;
        if (color === 'rgba(0, 0, 0, 0)') color = own;
    }
    if (color === 'rgba(0, 0, 0, 0)') return matchMedia('(prefers-color-scheme: light)').matches;
    paint.fillStyle = color;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
    return r + g + b > 384;
})()"#;

/// For who wants to look at the pages.
fn keep_a_picture(browser: &mut Chromium, name: &str) -> Result<()> {
    let Some(folder) = env::var_os("BOOK_SCREENSHOTS") else { return Ok(()) };
    let shot = browser
        .command("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "format": "png" }))?;
    let path = Path::new(&folder).join(format!("{}.base64", name.replace('/', "-")));
    fs::write(&path, shot["data"].as_str().unwrap_or_default()).with_context(|| path.display().to_string())
}

/// From each page to the same one in the other language, and back.
pub fn the_switch_leads_there_and_back(site: &Site) -> Result<()> {
    let mut browser = Chromium::start()?;
    for language in LANGUAGES {
        for name in site.pages_in(language)? {
            // Of the many switches on the page that has the whole book, the first leads elsewhere.
            if name == "print.html" {
                continue;
            }
            browser.visit(&site.page(&format!("{}/{name}", language.code)))?;
            for there in [language.other(), language] {
                click(&mut browser, &format!("a[hreflang=\"{}\"]", there.code))
                    .with_context(|| format!("{}/{name}", language.code))?;
                let wanted = site.page(&format!("{}/{name}", there.code));
                let address = browser.evaluate("location.href.split('#')[0]")?;
                let same = |address: &str| address == wanted || is_first(address) && is_first(&wanted);
                ensure!(address.as_str().is_some_and(same), "{wanted} is wanted, and it leads to {address}");
                let speaks = browser.evaluate("document.documentElement.lang")?;
                ensure!(speaks == there.code, "{wanted} says that it speaks {speaks}");
            }
        }
    }
    Ok(())
}

/// mdBook writes the first page twice: as `index.html`, and under its own name.
fn is_first(address: &str) -> bool {
    ["/index.html", "/introduction.html"].iter().any(|name| address.ends_with(name))
}

fn click(browser: &mut Chromium, selector: &str) -> Result<()> {
    browser.expect_another_page();
    let found = browser.evaluate(&format!(
        "(() => {{ const link = document.querySelector('{selector}'); link?.click(); return !!link; }})()"
    ))?;
    ensure!(found == true, "has no {selector}");
    browser.wait_until_loaded()
}

/// What people type, and the page that must be among what is found.
pub fn search_finds_words(site: &Site) -> Result<()> {
    let mut browser = Chromium::start()?;
    for (language, word, page) in [
        ("en", "namespaces", "01-namespaces.html"),
        ("en", "overlay", "04-images.html"),
        // Without our own index these are found by luck at most: an English ending, a word of the code.
        ("es", "raíz", "02-chroot.html"),
        ("es", "raiz", "02-chroot.html"),
        ("es", "árbol", "03-cgroups.html"),
        ("es", "arbol", "03-cgroups.html"),
        ("es", "imagenes", "04-images.html"),
        ("es", "ESPACIOS", "01-namespaces.html"),
    ] {
        browser.visit(&site.page(&format!("{language}/glossary.html?search={word}")))?;
        let links =
            "[...document.querySelectorAll('#mdbook-searchresults a')].map(a => a.getAttribute('href'))";
        browser
            .wait_for(&format!("({links}).some(link => link.includes('{page}'))"))
            .with_context(|| format!("{word:?} in {language}"))?;
    }
    Ok(())
}

/// The same text, whether scripts run or not; and the way to the next page.
pub fn all_is_there_without_javascript(site: &Site) -> Result<()> {
    let mut browser = Chromium::start()?;
    let text = "[...document.querySelectorAll('main :is(h1, h2, h3, p, li, td, th, summary, code, text)')]\
                .map(e => e.textContent.trim().replace(/\\s+/g, ' ')).join('\\n')";
    let mut with = Vec::new();
    let pages = site.pages()?;
    for page in &pages {
        browser.visit(&site.page(page))?;
        with.push(browser.evaluate(text)?);
    }
    browser.command("Emulation.setScriptExecutionDisabled", json!({ "value": true }))?;
    for (page, with) in pages.iter().zip(with) {
        browser.visit(&site.page(page))?;
        let without = browser.evaluate(text)?;
        let (with, without) = (with.as_str().unwrap_or_default(), without.as_str().unwrap_or_default());
        let missing = with.lines().find(|line| !without.contains(line.trim()));
        if let Some(missing) = missing {
            bail!("{page} without JavaScript lacks {missing:?}");
        }
        let switch = browser.evaluate("!!document.querySelector('a[hreflang]')")?;
        ensure!(switch == true, "{page} has no language switch");
    }
    Ok(())
}

/// That these visits notice what they are for.
pub fn a_bad_page_is_noticed(site: &Site) -> Result<()> {
    let mut browser = Chromium::start()?;
    for (body, said) in [
        ("<main><p style=\"width: 400px\">wide</p></main>", "reaches to"),
        (
            "<main><pre style=\"overflow-x: auto\"><code style=\"display: block; width: 900px\">x</code></pre></main>",
            "",
        ),
        ("<main></main><script>console.error('no')</script>", "no"),
        ("<main></main><script>throw new Error('thrown')</script>", "thrown"),
        ("<main></main><img src=\"nowhere.png\">", "404"),
        ("<main></main><style>body { background: #fff }</style>", "the other theme"),
    ] {
        let page = format!(
            "<!DOCTYPE html><meta name=\"viewport\" content=\"width=device-width\"><link rel=icon href=data:,><body style=\"margin: 0\">{body}"
        );
        fs::write(site.folder.path().join("bad.html"), page)?;
        let problems = look_at(&mut browser, &site.page("bad.html"), 360, "dark")?.join("\n");
        let noticed = if said.is_empty() { problems.is_empty() } else { problems.contains(said) };
        ensure!(noticed, "{body}: {said:?} is wanted, and it says {problems:?}");
    }
    Ok(())
}
