mod decode;
mod encode;
mod watch;
