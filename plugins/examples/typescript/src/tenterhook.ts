// What every plugin in TypeScript needs: values as they cross to Temporal, and failures.

import type { Failure, Payload } from "tenterhook:plugin/values@0.1.0";

// The engine has both; the compiler's library knows them only as parts of a browser.
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}

const ENCODING = "encoding";
const JSON_PLAIN = "json/plain";
const BINARY_NULL = "binary/null";

/** `value` as Temporal stores it. */
export function encode(value: unknown): Payload {
  const encoder = new TextEncoder();
  return {
    metadata: [[ENCODING, encoder.encode(JSON_PLAIN)]],
    data: encoder.encode(JSON.stringify(value)),
  };
}

/** The one value that an activity is given. Its type is a promise of the caller's: look at it before you use it. */
export function decode(payloads: Payload[]): unknown {
  const payload = payloads[0];
  if (payloads.length !== 1 || payload === undefined) {
    throw failure("ValidationError", `${payloads.length} values came in place of one`);
  }
  const decoder = new TextDecoder();
  const encoding = payload.metadata.find(([name]) => name === ENCODING);
  const name = encoding === undefined ? "" : decoder.decode(encoding[1]);
  if (name === BINARY_NULL) return null;
  if (name !== JSON_PLAIN) {
    throw failure("ValidationError", `encoding "${name}" is not understood here`);
  }
  return JSON.parse(decoder.decode(payload.data));
}

/** Types of failure that no further attempt can mend. */
const FINAL = ["ValidationError", "AuthorizationError", "NotFound", "Conflict"];

/** A failure to throw. `kind` is the type that retry policies and callers match on. */
export function failure(kind: string, message: string): Failure {
  return {
    error: { message, kind, details: [] },
    causes: [],
    nonRetryable: FINAL.includes(kind),
    benign: false,
  };
}

/** Runs `attempt`; whatever it throws that is no failure becomes one, which is tried again. */
export function answering(attempt: () => Payload | undefined): Payload | undefined {
  try {
    return attempt();
  } catch (thrown) {
    if (isFailure(thrown)) throw thrown;
    // What the host refuses comes as an error with the refusal as its payload.
    const payload = (thrown as { payload?: unknown }).payload;
    const message = payload === undefined ? String(thrown) : JSON.stringify(payload);
    throw failure(thrown instanceof Error ? thrown.name : "Error", message);
  }
}

function isFailure(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "nonRetryable" in thrown;
}
