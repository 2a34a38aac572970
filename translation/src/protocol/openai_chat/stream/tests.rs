mod calls;
mod decode;
mod encode;
mod watch;
