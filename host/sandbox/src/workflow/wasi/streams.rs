//! `wasi:io/streams` of a workflow instance: stdin is closed, stdout and stderr are the log.

use wasmtime::component::Resource;

use super::{super::state::WorkflowState, READY, STDERR};
use crate::{
    generated::workflow::wasi::io::{
        poll::Pollable,
        streams::{self, InputStream, OutputStream, StreamError},
    },
    guest_log::Stream,
};

/// Bytes a guest may write to a stream at once.
const WRITE_BYTES_MAX: u64 = 64 * 1024;

impl WorkflowState {
    fn write(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) {
        let stream = match stream.rep() {
            STDERR => Stream::Stderr,
            _ => Stream::Stdout,
        };
        self.log.write(stream, bytes);
    }

    fn write_zeroes_to(
        &mut self,
        stream: &Resource<OutputStream>,
        len: u64,
    ) -> wasmtime::Result<()> {
        let len = usize::try_from(len.min(WRITE_BYTES_MAX))?;
        self.write(stream, &vec![0; len]);
        Ok(())
    }
}

impl streams::Host for WorkflowState {}

/// stdin is the only input stream, and it is closed.
impl streams::HostInputStream for WorkflowState {
    fn read(
        &mut self,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_read(
        &mut self,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn skip(
        &mut self,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_skip(
        &mut self,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn subscribe(&mut self, _: Resource<InputStream>) -> wasmtime::Result<Resource<Pollable>> {
        Ok(Resource::new_own(READY))
    }

    fn drop(&mut self, _: Resource<InputStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl streams::HostOutputStream for WorkflowState {
    fn check_write(
        &mut self,
        _: Resource<OutputStream>,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Ok(WRITE_BYTES_MAX))
    }

    fn write(
        &mut self,
        stream: Resource<OutputStream>,
        contents: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        WorkflowState::write(self, &stream, &contents);
        Ok(Ok(()))
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        contents: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        WorkflowState::write(self, &stream, &contents);
        Ok(Ok(()))
    }

    fn flush(&mut self, _: Resource<OutputStream>) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn blocking_flush(
        &mut self,
        _: Resource<OutputStream>,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        Ok(Ok(()))
    }

    fn subscribe(&mut self, _: Resource<OutputStream>) -> wasmtime::Result<Resource<Pollable>> {
        Ok(Resource::new_own(READY))
    }

    fn write_zeroes(
        &mut self,
        stream: Resource<OutputStream>,
        len: u64,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        self.write_zeroes_to(&stream, len).map(Ok)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        len: u64,
    ) -> wasmtime::Result<Result<(), StreamError>> {
        self.write_zeroes_to(&stream, len).map(Ok)
    }

    fn splice(
        &mut self,
        _: Resource<OutputStream>,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn blocking_splice(
        &mut self,
        _: Resource<OutputStream>,
        _: Resource<InputStream>,
        _: u64,
    ) -> wasmtime::Result<Result<u64, StreamError>> {
        Ok(Err(StreamError::Closed))
    }

    fn drop(&mut self, _: Resource<OutputStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}
