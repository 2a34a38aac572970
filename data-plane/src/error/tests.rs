use super::*;

#[test]
fn what_is_left_alone_for_a_while_says_when_to_come_back() {
    let told = |error: GatewayError| (error.status().as_u16(), error.neutral().retry_after);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(told(GatewayError::Failing), (503, seconds(1)));
    assert_eq!(told(GatewayError::AllOut { limited: false, pause: Duration::from_millis(1) }), (503, seconds(1)));
    assert_eq!(told(GatewayError::AllOut { limited: true, pause: Duration::from_secs(9) }), (429, seconds(9)));
}
