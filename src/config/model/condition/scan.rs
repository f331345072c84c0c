//! One walk over an expression: its variables, its functions, its loops. The crate itself would find out when a request comes.

use super::{ConditionError, Stage, Variable};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;
use cel::{Context, Env, ExecutionError, Value};
use std::sync::Arc;

/// Deeper trees are refused: each level takes up to 40 KiB of stack when it is evaluated, without optimisation. Chains of `&&`
/// and `||` are balanced by the parser; those of other operators are as deep as they are long.
const MAX_DEPTH: usize = 24;

/// CEL's standard functions, and the accessors of times.
const FUNCTIONS: [&str; 25] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Names of types, which can be compared with `type(…)`.
const TYPES: [&str; 10] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan<'e> {
    pub(super) variables: Vec<Variable>,
    pub(super) loops: u32,
    /// Names that the loops around bind.
    bound: Vec<&'e str>,
}

impl<'e> Scan<'e> {
    /// Walks an expression.
    pub(super) fn of(expression: &'e Expression) -> Result<Self, ConditionError> {
        let mut scan = Self::default();
        scan.walk(expression, 0, 0)?;
        Ok(scan)
    }

    /// When the expression can be judged.
    pub(super) fn stage(&self) -> Result<Stage, ConditionError> {
        let of = |stage: &str| {
            let names = Variable::ALL.iter().filter(|(name, _)| name.starts_with(stage));
            names.into_iter().any(|(_, variable)| self.variables.contains(variable))
        };
        match (of("req_"), of("resp_")) {
            (true, true) => Err(ConditionError::Mixed),
            (false, true) => Ok(Stage::Response),
            (_, false) => Ok(Stage::Request),
        }
    }

    fn walk(&mut self, expression: &'e Expression, depth: usize, loops: u32) -> Result<(), ConditionError> {
        if depth > MAX_DEPTH {
            return Err(ConditionError::Deep);
        }
        let below = depth + 1;
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.walk(&select.operand, below, loops),
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.walk(item, below, loops)),
            Expr::Struct(_) => Err(ConditionError::Message),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::StructField(_) => Err(ConditionError::Message),
                EntryExpr::MapEntry(entry) => {
                    self.walk(&entry.key, below, loops)?;
                    self.walk(&entry.value, below, loops)
                }
            }),
            Expr::Call(call) => {
                check_function(call)?;
                if searches(call) {
                    self.loops = self.loops.max(loops + 1);
                }
                let operands = call.target.as_deref().into_iter().chain(&call.args);
                operands.into_iter().try_for_each(|operand| self.walk(operand, below, loops))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, below, loops),
        }
    }

    fn comprehension(&mut self, of: &'e ComprehensionExpr, depth: usize, loops: u32) -> Result<(), ConditionError> {
        // The list is made once, before the loop.
        self.walk(&of.iter_range, depth, loops)?;
        self.walk(&of.accu_init, depth, loops)?;
        self.loops = self.loops.max(loops + 1);
        let outside = self.bound.len();
        self.bound.extend([of.iter_var.as_str(), of.accu_var.as_str()]);
        self.bound.extend(of.iter_var2.as_deref());
        self.walk(&of.loop_cond, depth, loops + 1)?;
        self.walk(&of.loop_step, depth, loops + 1)?;
        self.walk(&of.result, depth, loops)?;
        self.bound.truncate(outside);
        Ok(())
    }

    fn name(&mut self, name: &'e str) -> Result<(), ConditionError> {
        if self.bound.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        if name == "JWT" {
            return Err(ConditionError::Token);
        }
        let found = Variable::ALL.iter().find(|(known, _)| *known == name);
        let (_, variable) = found.ok_or_else(|| ConditionError::Variable(name.to_owned()))?;
        if !self.variables.contains(variable) {
            self.variables.push(*variable);
        }
        Ok(())
    }
}

/// `in` goes through the list that it is given, unless that is written out.
fn searches(call: &CallExpr) -> bool {
    call.func_name == operators::IN && !call.args.iter().any(|operand| matches!(operand.expr, Expr::List(_)))
}

/// Operators have names no one can write.
fn check_function(call: &CallExpr) -> Result<(), ConditionError> {
    let name = call.func_name.as_str();
    let operator = name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if !operator && !FUNCTIONS.contains(&name) {
        return Err(ConditionError::Function(name.to_owned()));
    }
    match call.args.last().map(|last| &last.expr) {
        Some(Expr::Literal(LiteralValue::String(_))) if name == "matches" => check_pattern(call),
        _ => Ok(()),
    }
}

/// Matches the pattern with nothing, to see whether it is one.
fn check_pattern(call: &CallExpr) -> Result<(), ConditionError> {
    let nothing = Expression { id: 0, expr: Expr::Literal(LiteralValue::String("".into())) };
    let args = call.args.last().cloned().into_iter().collect();
    let call = CallExpr { func_name: call.func_name.clone(), target: Some(Box::new(nothing)), args };
    let probe = Expression { id: 0, expr: Expr::Call(call) };
    match Value::resolve(&probe, &Context::with_env(Arc::new(Env::stdlib()))) {
        Err(ExecutionError::FunctionError { .. }) => Err(ConditionError::Pattern),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cel::parser::PrattParser;

    #[test]
    fn every_function_is_one_of_the_crates() {
        let context = Context::with_env(Arc::new(Env::stdlib()));
        for name in FUNCTIONS {
            let calls = [format!("{name}('a')"), format!("'a'.{name}('b')"), format!("'a'.{name}()")];
            let known = calls.iter().any(|call| {
                let expression = PrattParser::new().parse(call).unwrap();
                !matches!(Value::resolve(&expression, &context), Err(ExecutionError::UndeclaredReference(_)))
            });
            assert!(known, "{name}");
        }
        let unknown = PrattParser::new().parse("'a'.lowerAscii()").unwrap();
        assert!(matches!(Value::resolve(&unknown, &context), Err(ExecutionError::UndeclaredReference(_))));
    }
}
