//! The integration tests of `probe`: every probe runs against real sockets on the loopback address.

#[cfg(test)]
mod body;
#[cfg(test)]
mod check;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod module;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod property;
#[cfg(test)]
mod redirect;
#[cfg(test)]
mod request;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_trust;
