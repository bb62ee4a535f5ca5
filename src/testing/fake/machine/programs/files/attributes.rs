//! `chmod`, `chown` and `touch`.

use std::time::SystemTime;

use super::super::accounts::{GROUPS, USERS, number};
use super::super::options::options;
use super::super::{Context, Ended, Failure, about, said};
use super::look;
use crate::testing::fake::machine::node::Node;

pub(in super::super) async fn chmod(context: Context) -> Ended {
    let options = options(&context.argv, "+Rv")?;
    let (mode, paths) = options.split_first("no mode")?;
    for path in paths {
        let (place, node) = look(&context, path, true)?;
        let mode =
            new_mode(mode, node.mode).ok_or_else(|| said(format!("invalid mode '{mode}'")))?;
        owned(&context, &node, path)?;
        change(&context, &place, path, options.has('R'), &|node| {
            node.mode = mode
        })?;
    }
    Ok(0)
}

fn owned(context: &Context, node: &Node, path: &str) -> Result<(), Failure> {
    let uid = context.process.user.0;
    match uid == 0 || uid == node.uid {
        true => Ok(()),
        false => Err(said(format!("{path}: Operation not permitted"))),
    }
}

fn new_mode(text: &str, old: u32) -> Option<u32> {
    if let Ok(mode) = u32::from_str_radix(text, 8) {
        return Some(mode & 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let mut mask = 0;
        for letter in who.chars() {
            mask |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mask = if who.is_empty() { 0o777 } else { mask };
        let mut bits = 0;
        for letter in rest[1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                _ => return None,
            };
        }
        mode = match &rest[..1] {
            "+" => mode | bits & mask,
            "-" => mode & !(bits & mask),
            _ => mode & !mask | bits & mask,
        };
    }
    Some(mode)
}

fn change(
    context: &Context,
    place: &[String],
    path: &str,
    deep: bool,
    change_one: &dyn Fn(&mut Node),
) -> Result<(), Failure> {
    let view = context.view();
    let changed = view.change(place, |node, _| {
        change_one(node);
        Ok(())
    });
    changed.map_err(about(path))?;
    if deep {
        let node = view.look(place).map_err(about(path))?;
        for name in node
            .entries()
            .map(|all| all.keys().cloned().collect::<Vec<_>>())
            .unwrap_or_default()
        {
            let mut within = place.to_vec();
            within.push(name);
            change(context, &within, path, deep, change_one)?;
        }
    }
    Ok(())
}

pub(in super::super) async fn chown(context: Context) -> Ended {
    let options = options(&context.argv, "+Rvh")?;
    let (owner, paths) = options.split_first("no owner")?;
    let (uid, gid) = owner.split_once(':').unwrap_or((owner, ""));
    let uid = number(&context, USERS, uid);
    let gid = number(&context, GROUPS, gid);
    if context.process.user.0 != 0 {
        return Err(said(format!(
            "{}: Operation not permitted",
            paths.join(" ")
        )));
    }
    for path in paths {
        let (place, _) = look(&context, path, !options.has('h'))?;
        change(&context, &place, path, options.has('R'), &|node| {
            node.uid = uid.unwrap_or(node.uid);
            node.gid = gid.unwrap_or(node.gid);
        })?;
    }
    Ok(0)
}

pub(in super::super) async fn touch(context: Context) -> Ended {
    let options = options(&context.argv, "camt:d:r:")?;
    for path in &options.operands {
        let view = context.view();
        let place = view
            .resolve(&context.cwd, path, true)
            .map_err(about(path))?;
        let there = view.look(&place).is_ok();
        let touched = match there {
            true => view.change(&place, |node, _| {
                node.modified = SystemTime::now();
                Ok(())
            }),
            false if options.has('c') => Ok(()),
            false => view.writable(&context.cwd, path, 0o644).map(drop),
        };
        touched.map_err(about(path))?;
    }
    Ok(0)
}
