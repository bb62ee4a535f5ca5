//! What a line of shell is made of.

use std::sync::Arc;

/// Commands one after another.
pub(super) type List = Vec<Item>;

#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) first: Pipeline,
    /// What follows by `&&` (true) or `||`.
    pub(super) rest: Vec<(bool, Pipeline)>,
    pub(super) background: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) negated: bool,
    pub(super) commands: Vec<Arc<Command>>,
}

#[derive(Debug, Clone)]
pub(super) enum Command {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
        redirections: Vec<Redirection>,
    },
    Compound(Compound, Vec<Redirection>),
    Function(String, Arc<Command>),
}

#[derive(Debug, Clone)]
pub(super) enum Compound {
    Group(List),
    Subshell(Arc<List>),
    If(Vec<(List, List)>, Option<List>),
    /// The third says that it is `until`.
    While(List, List, bool),
    For(String, Option<Vec<Word>>, List),
    Case(Word, Vec<(Vec<Word>, List)>),
}

#[derive(Debug, Clone)]
pub(super) struct Redirection {
    pub(super) number: u32,
    pub(super) to: Target,
}

#[derive(Debug, Clone)]
pub(super) enum Target {
    Read(Word),
    Write(Word),
    Append(Word),
    Both(Word),
    /// Another number, or `-` to close.
    Same(Word),
    Text(Word),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Word(pub(super) Vec<Part>);

#[derive(Debug, Clone)]
pub(super) enum Part {
    /// As it stands; quoted, no pattern is in it.
    Text(String, bool),
    Parameter(Box<Parameter>, bool),
    Commands(Arc<List>, bool),
    Arithmetic(Word, bool),
}

#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) operation: Operation,
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Plain,
    Length,
    /// `-`, `=`, `+` or `?`; with a colon, an empty value counts as none.
    Default(char, bool, Word),
    /// `#` or `%`; twice: the longest.
    Trim(char, bool, Word),
}
