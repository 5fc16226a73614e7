//! What is said to somebody who types `cargo taller` and nothing else: where things are, what to do next.

use std::path::Path;

use crate::language::Language;

/// The overview; `home` is the repository's folder.
pub fn overview(language: Language, home: &Path) -> String {
    let home = home.display();
    match language {
        Language::English => format!(
            "canoa: a container engine that you build yourself, in six lessons.

Where things are, in {home}
  lessons/   the six lessons, one crate each        cargo workshop status
  book/en/   the book                               cargo run -p book -- serve
  final/     canoa, the finished engine             cargo run -p canoa -- run -it base sh

What to do next
  1. See what this machine can do:                  cargo workshop doctor
  2. Read the introduction:                         book/en/src/introduction.md
  3. Run the first lesson, then read it:            cargo run -p lesson-01 -- run sh
  4. Change something in it, and see what breaks:   cargo test -p lesson-01

En español: cargo taller --lang es
"
        ),
        Language::Spanish => format!(
            "canoa: un motor de contenedores que construyes tú, en seis lecciones.

Dónde está cada cosa, en {home}
  lessons/   las seis lecciones, un crate cada una  cargo taller status
  book/es/   el libro                               cargo run -p book -- serve
  final/     canoa, el motor terminado              cargo run -p canoa -- run -it base sh

Qué sigue
  1. Mira qué puede hacer esta máquina:             cargo taller doctor
  2. Lee la introducción:                           book/es/src/introduction.md
  3. Corre la primera lección y luego léela:        cargo run -p lesson-01 -- run sh
  4. Cámbiale algo y mira qué se rompe:             cargo test -p lesson-01

In English: cargo workshop --lang en
"
        ),
    }
}
