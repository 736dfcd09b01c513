use crate::{ids, markdown};

#[test]
fn a_section_keeps_its_id_when_it_is_edited_renamed_or_moved() {
    let text = "# 商城\n\n## 目标\n\n卖得更多,\n送得更快。\n\n## 风险\n\n供应商不足。\n\n### 备注\n\n无。\n";
    let first = markdown(text);
    assert_eq!(ids(&first), ["商城", "商城/目标", "商城/风险", "商城/风险/备注"]);
    let edited = first.revise(text.replace("供应商不足", "资金不足")).expect("valid");
    assert_eq!(ids(&edited), ids(&first));
    let renamed = first.revise(text.replace("## 目标", "## 目的")).expect("valid");
    assert_eq!(ids(&renamed), ids(&first));
    let title_too = first.revise(text.replace("# 商城", "# 新商城").replace("无。", "有。")).expect("valid");
    assert_eq!(ids(&title_too), ids(&first));
    let moved = "# 商城\n\n## 风险\n\n供应商不足。\n\n### 备注\n\n无。\n\n## 目标\n\n卖得更多,\n送得更快。\n";
    let moved = first.revise(moved).expect("valid");
    assert_eq!(ids(&moved), ["商城", "商城/风险", "商城/风险/备注", "商城/目标"]);
    let renamed_and_edited = text.replace("## 目标", "## 目的").replace("送得更快", "送得更准");
    let renamed_and_edited = first.revise(renamed_and_edited).expect("valid");
    assert_eq!(ids(&renamed_and_edited), ids(&first));
}

#[test]
fn a_new_section_gets_a_new_id() {
    let first = markdown("# A\n\n## Notes\n\nOf the first kind.\n");
    let second =
        first.revise("# A\n\n## Other\n\nQuite different words.\n\n## Notes\n\nOf the first kind.\n");
    assert_eq!(ids(&second.expect("valid")), ["a", "a/other", "a/notes"]);
    let replaced = first.revise("# A\n\n## Budget\n\nMoney and time.\n").expect("valid");
    assert_eq!(ids(&replaced), ["a", "a/budget"]);
    let twice = first.revise("# A\n\n## Notes\n\nOf the first kind.\n\n## Notes\n\nMore.\n").expect("valid");
    assert_eq!(ids(&twice), ["a", "a/notes", "a/notes-2"]);
}

#[test]
fn equal_sections_are_told_apart_by_what_is_above_them() {
    let first = markdown("# A\n\n## Notes\n\nNone.\n\n# B\n\n## Notes\n\nNone.\n");
    let second = first.revise("# A\n\n# B\n\n## Notes\n\nNone.\n").expect("valid");
    assert_eq!(ids(&second), ["a", "b", "b/notes"]);
}

#[test]
fn ids_stay_short() {
    let deep: String =
        (1..=6).map(|level| format!("{} {}\n", "#".repeat(level), "很长的标题".repeat(40))).collect();
    assert!(ids(&markdown(&deep)).iter().all(|id| id.len() < 170), "{:?}", ids(&markdown(&deep)));
}
