//! The tools that a client offers, and how they are offered in a chat completion: as functions.
//!
//! A custom tool takes any text, and becomes a function with one text parameter: few servers know custom tools, and none
//! of another format. The tools of a namespace get its name as a prefix.

use loam_kernel::Result;
use serde_json::{Value, json};

use crate::Feature;
use crate::body::{object_schema, required};

/// The parameter of a function that stands for a custom tool.
const INPUT: &str = "input";

/// A tool as the client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfferedTool {
    /// The name of the function that stands for it.
    function: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) is_custom: bool,
}

/// The tools of a request that a function stands for.
#[derive(Debug, Default)]
pub(super) struct OfferedTools(Vec<OfferedTool>);

impl OfferedTools {
    pub(super) fn of(tools: &Value) -> Self {
        let mut offered = Vec::new();
        let mut add = |tool: &Value, namespace: Option<&str>| {
            let is_custom = tool["type"] == "custom";
            let name = tool["name"].as_str().filter(|_| is_custom || tool["type"] == "function");
            offered.extend(name.map(|name| OfferedTool {
                function: function_name(namespace, name),
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                is_custom,
            }));
        };
        for tool in tools.as_array().into_iter().flatten() {
            match tool["tools"].as_array() {
                Some(members) => members.iter().for_each(|member| add(member, tool["name"].as_str())),
                None => add(tool, None),
            }
        }
        Self(offered)
    }

    /// The tool that a function stands for. A model may call one that was not offered.
    pub(super) fn called(&self, function: &str) -> OfferedTool {
        let found = self.0.iter().find(|tool| tool.function == function).cloned();
        found.unwrap_or_else(|| OfferedTool {
            function: function.to_owned(),
            name: function.to_owned(),
            namespace: None,
            is_custom: false,
        })
    }
}

/// The name of the function that stands for a tool.
pub(super) fn function_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        None => name.to_owned(),
        Some(namespace) if namespace.ends_with('_') => format!("{namespace}{name}"),
        Some(namespace) => format!("{namespace}__{name}"),
    }
}

/// The arguments of a function that stands for a custom tool.
pub(super) fn custom_arguments(input: &str) -> String {
    json!({ INPUT: input }).to_string()
}

/// The input of a custom tool, from the arguments of the function that stands for it.
pub(super) fn custom_input(arguments: &str) -> String {
    let parsed: Value = serde_json::from_str(arguments).unwrap_or_default();
    parsed[INPUT].as_str().unwrap_or(arguments).to_owned()
}

/// Whether a tool is left out: a search of the web that the provider would run, as a model need not use it.
pub(super) fn is_left_out(tool: &Value) -> bool {
    tool["type"].as_str().is_some_and(|kind| kind.starts_with("web_search"))
}

/// The functions of a chat completion. Other tools that only a provider can run are refused.
pub(super) fn functions(kind: &str, tools: &[Value]) -> Result<Vec<Value>> {
    let mut functions = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let path = format!("tools.{at}");
        match required(tool, "type", &path)? {
            "function" | "custom" => functions.push(function(tool, None, &path)?),
            "namespace" => {
                let namespace = required(tool, "name", &path)?;
                for (at, member) in tool["tools"].as_array().into_iter().flatten().enumerate() {
                    let path = format!("{path}.tools.{at}");
                    match required(member, "type", &path)? {
                        "function" | "custom" => functions.push(function(member, Some(namespace), &path)?),
                        _ => return Err(Feature::ServerTools.unsupported(kind, format!("{path}.type"))),
                    }
                }
            }
            _ if is_left_out(tool) => {}
            _ => return Err(Feature::ServerTools.unsupported(kind, format!("{path}.type"))),
        }
    }
    Ok(functions)
}

fn function(tool: &Value, namespace: Option<&str>, path: &str) -> Result<Value> {
    let name = function_name(namespace, required(tool, "name", path)?);
    let mut function = json!({ "name": name });
    let mut description = tool["description"].as_str().unwrap_or_default().to_owned();
    if tool["type"] == "custom" {
        if tool["format"]["type"] == "grammar" {
            let format = &tool["format"];
            let syntax = format["syntax"].as_str().unwrap_or_default();
            let definition = format["definition"].as_str().unwrap_or_default();
            description =
                format!("{description}\n\n`{INPUT}` follows this {syntax} grammar:\n\n{definition}")
                    .trim_start()
                    .to_owned();
        }
        function["parameters"] = json!({
            "type": "object", "properties": {INPUT: {"type": "string"}}, "required": [INPUT], "additionalProperties": false,
        });
    } else {
        function["parameters"] = object_schema(tool.get("parameters"));
        if tool["strict"] == true {
            function["strict"] = true.into();
        }
    }
    if !description.is_empty() {
        function["description"] = description.into();
    }
    Ok(json!({"type": "function", "function": function}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_tool_and_those_of_a_namespace_are_functions_and_found_again() {
        let grammar = json!({"type": "grammar", "syntax": "lark", "definition": "start: \"a\""});
        let tools = json!([
            {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": grammar},
            {"type": "namespace", "name": "mcp__git", "description": "git", "tools": [
                {"type": "function", "name": "log", "parameters": null, "strict": null}]},
            {"type": "web_search", "external_web_access": false},
        ]);
        let functions = functions("openai", tools.as_array().expect("a list")).expect("functions");
        let names: Vec<_> = functions.iter().map(|tool| tool["function"]["name"].as_str()).collect();
        assert_eq!(names, [Some("apply_patch"), Some("mcp__git__log")]);
        assert_eq!(
            functions[0]["function"]["description"],
            "Edits files.\n\n`input` follows this lark grammar:\n\nstart: \"a\""
        );
        assert_eq!(functions[1]["function"]["parameters"], json!({"type": "object"}));
        let offered = OfferedTools::of(&tools);
        let log = offered.called("mcp__git__log");
        assert_eq!(
            (log.name.as_str(), log.namespace.as_deref(), log.is_custom),
            ("log", Some("mcp__git"), false)
        );
        assert!(offered.called("apply_patch").is_custom && !offered.called("unknown").is_custom);
        let text = "*** Begin Patch\n\"x\"";
        assert_eq!(custom_input(&custom_arguments(text)), text);
        // a model that ignores the parameter's name
        assert_eq!(custom_input("*** Begin"), "*** Begin");
    }
}
