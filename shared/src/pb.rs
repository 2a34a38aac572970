//! Messages and services generated from `proto/orchestration/v1`.

#![expect(missing_docs, unused_qualifications, clippy::pedantic, clippy::allow_attributes, reason = "generated code")]

tonic::include_proto!("orchestration.v1");
