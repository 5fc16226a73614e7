//! Go's templates (text/template), as far as people write them behind `--format`.
//!
//! `{{.State.Status}}`, `{{json .Mounts}}`, `{{range .Mounts}}{{.Source}} {{end}}`, `{{if …}}…{{else}}…{{end}}`,
//! `{{with …}}`, variables, pipelines, and the functions of Go and of the docker command. No crate does
//! it as Docker's users know it: `gtmpl` knows no methods, fails on a missing index and prints lists in
//! a way of its own.
//!
//! A template is taken apart into [tokens](lex), those into a [tree](parse), and the tree is
//! [carried out](eval) on a [value](value). What Docker knows of its types (that `Labels` is a map and
//! `Binds` a list, even when there are none) is written down in `value`.

mod eval;
mod functions;
mod lex;
mod parse;
mod printf;
mod structs;
pub mod value;

use std::collections::BTreeMap;

use parse::Node;
use value::Value;

/// A template that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Node>);

/// What `.Label "key"` gives, in a list of things that have labels.
#[derive(Debug, Clone, Copy)]
pub enum Labels<'a> {
    /// No method of that name.
    None,
    /// The value of the label.
    Of(&'a BTreeMap<String, String>),
    /// The heading of its column: the last part of the key. Functions leave headings as they are.
    Heading,
}

impl Template {
    /// Takes it apart.
    ///
    /// # Errors
    /// What is not understood, and where.
    pub fn parse(text: &str) -> Result<Template, String> {
        parse::parse(&lex::lex(text)?).map(Template)
    }

    /// Carries it out on a value.
    ///
    /// # Errors
    /// There is no such field; a function that does not fit what it is given.
    pub fn render(&self, value: &Value, labels: Labels<'_>) -> Result<String, String> {
        eval::render(&self.0, value, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let thing = r#"{
            "Name": "/web", "Id": "0123456789abcdef",
            "State": {"Status": "running", "Pid": 7, "Up": true, "Dead": false},
            "Args": ["a", "b"], "Binds": null, "Nothing": null,
            "Config": {"Labels": {"b.c": "2", "a": "1"}, "Cmd": null},
            "Mounts": [{"Source": "/x", "Destination": "/y"}, {"Source": "/v", "Destination": "/w"}],
            "Ports": {"80/tcp": [{"HostPort": "8080"}], "443/tcp": null}
        }"#;
        Template::parse(template)?.render(&serde_json::from_str(thing).unwrap(), Labels::None)
    }

    #[track_caller]
    fn gives(template: &str, text: &str) {
        assert_eq!(render(template).as_deref(), Ok(text), "{template}");
    }

    #[test]
    fn fields_are_followed_along_their_path() {
        gives("{{.State.Pid}} {{ .State.Up }} {{.Args}} {{.Name}}", "7 true [a b] /web");
        gives("{{.Config.Labels}} {{.Config.Labels.a}}", "map[a:1 b.c:2] 1");
        gives("{{.Binds}} {{.Nothing}} {{.Config.Labels.none}}", "[] <no value> <no value>");
        gives("{{(index .Mounts 1).Source}} {{$.State.Pid}}", "/v 7");
    }

    #[test]
    fn json_keeps_the_order_in_which_the_engine_says_it() {
        gives("{{json .State}}", r#"{"Status":"running","Pid":7,"Up":true,"Dead":false}"#);
        gives("{{json .Binds}} {{.Args | json}}", r#"null ["a","b"]"#);
        gives("{{json .Config.Labels.a}}", "\"1\"");
    }

    #[test]
    fn lists_and_maps_are_gone_through_in_go_s_order() {
        gives("{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}", "/x:/y /v:/w ");
        gives("{{range $i, $m := .Mounts}}{{$i}}={{$m.Source}};{{end}}", "0=/x;1=/v;");
        gives("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "a=1,b.c=2,");
        gives("{{range .Binds}}x{{else}}none{{end}}", "none");
        gives(
            "{{range $p, $c := .Ports}}{{$p}}{{with $c}}->{{(index . 0).HostPort}}{{end}} {{end}}",
            "443/tcp 80/tcp->8080 ",
        );
    }

    #[test]
    fn conditions_and_variables() {
        gives("{{if .State.Up}}up{{else}}down{{end}}", "up");
        gives("{{if .State.Dead}}a{{else if eq .State.Pid 7}}b{{else}}c{{end}}", "b");
        gives("{{$x := .State.Pid}}{{if and $x (ne .State.Status \"exited\")}}{{$x}}{{end}}", "7");
        gives("{{with .State}}{{.Pid}}{{end}}{{with .Binds}}x{{else}}y{{end}}", "7y");
        gives("{{$n := 0}}{{range .Args}}{{$n = len .}}{{end}}{{$n}}", "1");
        gives("a {{- /* said in passing */ -}}  b {{- \" c \" -}} d", "ab c d");
    }

    #[test]
    fn functions_of_go_and_of_docker() {
        gives(
            "{{join .Args \",\"}} {{upper .Name}} {{lower \"AB\"}} {{title \"ab cd\"}}",
            "a,b /WEB ab Ab Cd",
        );
        gives("{{index .Args 1}}{{index .Config.Labels \"b.c\"}}[{{index .Config.Labels \"none\"}}]", "b2[]");
        gives("{{split \"a,b\" \",\"}} {{len .Args}} {{len .Name}}", "[a b] 2 4");
        gives("{{truncate .Id 5}}|{{pad .Name 1 2}}|{{slice .Id 0 3}}", "01234| /web  |012");
        gives("{{println .Name}}{{print 1 2 \"x\" \"y\"}}", "/web\n1 2x y".replace("x y", "xy").as_str());
        gives(
            "{{printf \"%-6s|%.3s|%4d|%q|%v\" .Name .Id .State.Pid \"q\" .Args}}",
            "/web  |012|   7|\"q\"|[a b]",
        );
        gives(
            "{{eq .State.Pid 1 7}} {{lt 1 2}} {{ge \"b\" \"a\"}} {{not .State.Up}} {{or .Binds \"x\"}}",
            "true true true false x",
        );
        gives("{{.Name | printf \"%s!\" | upper}}", "/WEB!");
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (template, words) in [
            ("{{.A", "unclosed action"),
            ("{{range .Args}}", "unexpected EOF"),
            ("{{end}}", "unexpected {{end}}"),
            ("{{nope .A}}", "function \"nope\" not defined"),
            ("{{.State.Nope}}", "at <.State.Nope>: map has no entry for key \"Nope\""),
            ("{{.Name.x}}", "at <.Name.x>: can't evaluate field x"),
            ("{{index .Args 9}}", "index out of range: 9"),
            ("{{$x}}", "undefined variable \"$x\""),
            ("{{\"a}}", "unterminated quoted string"),
            ("{{template \"x\"}}", "{{template}} is not understood here"),
            ("{{.Name 1}}", "has arguments but cannot be invoked as function"),
            ("{{}}", "missing value for command"),
            ("{{(1}}", "unclosed left paren"),
            (&"{{if 1}}".repeat(100_000), "too many blocks in each other"),
            (&format!("{{{{{}", "(".repeat(100_000)), "unclosed action"),
            (&format!("{{{{{}}}}}", "(".repeat(100_000)), "too many parentheses in each other"),
        ] {
            let error = render(template).expect_err(template);
            assert!(error.contains(words), "{template}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_somebody_writes_is_rendered_or_refused(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{{", "}}", "-", " ", ".", "$", "x", ":=", "=", "|", "(", ")", ",", "\"", "`", "\\", "1", "-2",
                    "range", "if", "else", "end", "with", "index", "printf", "%s", "%-99d", "json", "len", "slice",
                    "pad", "ñ", ".State", ".Args", ".Name", ".Ports", "/*", "*/", "nil", "true",
                ]),
                0..40,
            )
        ) {
            let _ = render(&words.concat());
            let _ = render(&words.join(" "));
        }
    }
}
