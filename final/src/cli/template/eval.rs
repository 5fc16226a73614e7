//! Carries a template out.

use super::Labels;
use super::functions::{self, Arguments};
use super::parse::{Command, Node, Operand, Pipe};
use super::value::{Absent, Value};

type Result<T> = std::result::Result<T, String>;

/// The text that comes of it.
///
/// # Errors
/// There is no such field; a function that does not fit what it is given.
pub fn render(nodes: &[Node], value: &Value, labels: Labels<'_>) -> Result<String> {
    let mut run = Run { text: String::new(), variables: vec![(String::new(), value.clone())], labels };
    run.nodes(nodes, value)?;
    Ok(run.text)
}

struct Run<'a> {
    text: String,
    /// Inner ones last; the first, without a name, is `$`.
    variables: Vec<(String, Value)>,
    labels: Labels<'a>,
}

impl Run<'_> {
    /// What is declared in a block ends with it.
    fn block(&mut self, nodes: &[Node], dot: &Value) -> Result<()> {
        let outer = self.variables.len();
        self.nodes(nodes, dot)?;
        self.variables.truncate(outer);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<()> {
        for node in nodes {
            match node {
                Node::Text(text) => self.text.push_str(text),
                Node::Print(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.text.push_str(&value.to_string());
                    }
                }
                Node::If(cases, other) => self.choose(cases, other, dot, false)?,
                Node::With(cases, other) => self.choose(cases, other, dot, true)?,
                Node::Range(pipe, body, other) => self.range(pipe, body, other, dot)?,
            }
        }
        Ok(())
    }

    fn choose(
        &mut self,
        cases: &[(Pipe, Vec<Node>)],
        other: &[Node],
        dot: &Value,
        moves: bool,
    ) -> Result<()> {
        let outer = self.variables.len();
        for (condition, body) in cases {
            let value = self.pipe(condition, dot)?;
            if value.is_true() {
                self.block(body, if moves { &value } else { dot })?;
                self.variables.truncate(outer);
                return Ok(());
            }
        }
        self.block(other, dot)?;
        self.variables.truncate(outer);
        Ok(())
    }

    fn range(&mut self, pipe: &Pipe, body: &[Node], other: &[Node], dot: &Value) -> Result<()> {
        let over = self.commands(&pipe.commands, dot)?;
        let number = |at: usize| Value::Number(at.into());
        let entries: Vec<(Value, Value)> = match over {
            Value::Nothing(_) => Vec::new(),
            Value::List(items) => {
                items.into_iter().enumerate().map(|(at, item)| (number(at), item)).collect()
            }
            Value::Map(fields) => Value::sorted(&fields)
                .into_iter()
                .map(|(key, value)| (Value::Text(key.clone()), value.clone()))
                .collect(),
            other => return Err(format!("range can't iterate over {other}")),
        };
        if entries.is_empty() {
            return self.block(other, dot);
        }
        let outer = self.variables.len();
        for (key, value) in entries {
            match pipe.variables.as_slice() {
                [] => {}
                [one] => self.set(one, value.clone(), pipe.declares)?,
                [first, second, ..] => {
                    self.set(first, key, pipe.declares)?;
                    self.set(second, value.clone(), pipe.declares)?;
                }
            }
            self.nodes(body, &value)?;
            self.variables.truncate(outer);
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, declares: bool) -> Result<()> {
        if declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => return Err(format!("undefined variable \"${name}\"")),
        }
        Ok(())
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value> {
        let value = self.commands(&pipe.commands, dot)?;
        for name in &pipe.variables {
            self.set(name, value.clone(), pipe.declares)?;
        }
        Ok(value)
    }

    fn commands(&mut self, commands: &[Command], dot: &Value) -> Result<Value> {
        let mut passed = None;
        for command in commands {
            passed = Some(self.command(command, dot, passed)?);
        }
        Ok(passed.unwrap_or(Value::Nothing(Absent::Value)))
    }

    /// One command; `passed` is the value of the one before it, its last argument.
    fn command(&mut self, command: &Command, dot: &Value, passed: Option<Value>) -> Result<Value> {
        let Some((first, rest)) = command.split_first() else { return Err("an empty command".to_owned()) };
        match first {
            Operand::Function(name) => {
                let name = name.as_str();
                let mut arguments: Arguments = Vec::with_capacity(rest.len() + 1);
                for operand in rest {
                    let value = self.operand(operand, dot)?;
                    // The rest isn't even looked at: `{{if and .X .X.Y}}` works where there is no X.
                    if functions::settles(name, &value) {
                        return Ok(value);
                    }
                    arguments.push(value);
                }
                arguments.extend(passed);
                if let (Labels::Of(_), "json", [row @ Value::Map(_)]) = (self.labels, name, &arguments[..]) {
                    return Ok(Value::Text(row.json_for_html()));
                }
                let heading = matches!(self.labels, Labels::Heading);
                functions::call(name, arguments, heading)
                    .map_err(|error| format!("error calling {name}: {error}"))
            }
            Operand::Dot(path) if path.as_slice() == ["Label"] && !matches!(self.labels, Labels::None) => {
                let key = match rest {
                    [operand] => self.operand(operand, dot)?,
                    _ => passed.unwrap_or(Value::Nothing(Absent::Value)),
                };
                match key {
                    Value::Text(key) => Ok(Value::Text(self.label(&key))),
                    _ => Err("at <.Label>: write .Label \"key\"".to_owned()),
                }
            }
            value if rest.is_empty() && passed.is_none() => self.operand(value, dot),
            other => Err(format!("{} has arguments but cannot be invoked as function", name(other))),
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value> {
        match operand {
            Operand::Dot(path) => follow(dot, path, ""),
            Operand::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) = known.ok_or_else(|| format!("undefined variable \"${name}\""))?;
                follow(value, path, &format!("${name}"))
            }
            Operand::Group(pipe, path) => {
                let value = self.pipe(pipe, dot)?;
                follow(&value, path, "(…)")
            }
            Operand::Text(text) => Ok(Value::Text(text.clone())),
            Operand::Number(number) => Ok(Value::Number(number.clone())),
            Operand::Bool(is) => Ok(Value::Bool(*is)),
            Operand::Nil => Ok(Value::Nothing(Absent::Pointer)),
            Operand::Function(name) => functions::call(name, Vec::new(), false)
                .map_err(|error| format!("error calling {name}: {error}")),
        }
    }

    fn label(&self, key: &str) -> String {
        match self.labels {
            Labels::None => String::new(),
            Labels::Of(labels) => labels.get(key).cloned().unwrap_or_default(),
            // `com.example.my-role` → `my role`
            Labels::Heading => key.rsplit('.').next().unwrap_or(key).replace(['-', '_'], " "),
        }
    }
}

/// Goes along a path; `from` is where it begins, for the message.
fn follow(value: &Value, path: &[String], from: &str) -> Result<Value> {
    let mut found = value.clone();
    let mut parent = None;
    for name in path {
        let at = || format!("at <{from}.{}>", path.join("."));
        found = match &found {
            Value::Map(_) => found
                .field(parent, name)
                .ok_or_else(|| format!("{}: map has no entry for key {name:?}", at()))?,
            Value::Nothing(Absent::Value | Absent::Map) => Value::Nothing(Absent::Value),
            Value::Nothing(_) => return Err(format!("{}: nil pointer evaluating .{name}", at())),
            _ => return Err(format!("{}: can't evaluate field {name} in {found}", at())),
        };
        parent = Some(name.as_str());
    }
    Ok(found)
}

fn name(operand: &Operand) -> String {
    match operand {
        Operand::Dot(path) => format!(".{}", path.join(".")),
        Operand::Variable(name, _) => format!("${name}"),
        Operand::Text(text) => format!("{text:?}"),
        Operand::Number(number) => number.to_string(),
        Operand::Bool(is) => is.to_string(),
        Operand::Nil => "nil".to_owned(),
        Operand::Group(..) => "(…)".to_owned(),
        Operand::Function(name) => name.clone(),
    }
}
