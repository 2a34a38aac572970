use super::{Effort, Reasoning, Thinking};

#[test]
fn a_budget_has_one_word_whatever_the_target() {
    use Effort::{High, Low, Medium, Minimal, None, XHigh};
    let words = [0, 512, 1_024, 4_000, 8_192, 10_000, 16_384, 24_576, 31_999].map(Effort::of_budget);
    assert_eq!(words, [None, Minimal, Low, Low, Medium, Medium, High, High, XHigh]);
}

#[test]
fn a_switch_goes_before_a_word_and_a_word_before_a_budget() {
    let said = |effort, thinking| Reasoning { effort, thinking, summary: None }.in_words();
    assert_eq!(said(Some(Effort::High), Some(Thinking::Off)), Some(Effort::None));
    assert_eq!(said(Some(Effort::High), Some(Thinking::Budget(1_024))), Some(Effort::High));
    assert_eq!(said(None, Some(Thinking::Budget(1_024))), Some(Effort::Low));
    assert_eq!(said(Some(Effort::Low), Some(Thinking::Adaptive)), Some(Effort::Low));
    assert_eq!(said(None, Some(Thinking::Adaptive)), None);
}
