use super::*;

async fn refused(address: &str) -> String {
    listen("Server:Listen", "--listen", address).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_listener_that_cannot_be_had_says_what_to_do() {
    for address in ["5000", ":5000", "127.0.0.1", "127.0.0.1:many", "127.0.0.1:70000"] {
        let told = refused(address).await;
        assert!(told.contains("Server:Listen") && told.contains("ADDRESS:PORT"), "{address}: {told}");
    }
    let holder = listen("Server:Listen", "--listen", "127.0.0.1:0").await.unwrap();
    let address = holder.local_addr().unwrap().to_string();
    assert_eq!(
        refused(&address).await,
        format!("Server:Listen: {address} is in use: another copy may be running; choose another with --listen")
    );
    let told = refused("203.0.113.1:5000").await;
    assert!(told.contains("cannot listen on 203.0.113.1:5000"), "{told}");
}

#[test]
fn people_are_told_when_others_reach_the_listener() {
    let all: SocketAddr = "0.0.0.0:5000".parse().unwrap();
    let one: SocketAddr = "127.0.0.1:5000".parse().unwrap();
    assert_eq!((reachable(all), reachable("[::]:5000".parse().unwrap()), reachable(one)), (one, one, one));
    assert!(who_else_reaches(all).contains("all addresses"));
    assert_eq!(who_else_reaches(one), "");
}
