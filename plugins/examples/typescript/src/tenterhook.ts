// What every plugin in TypeScript needs: values as they cross to Temporal, and failures.

import type { Failure, Payload } from "tenterhook:plugin/values@0.1.0";

const ENCODING = "encoding";
const JSON_PLAIN = "json/plain";
const BINARY_NULL = "binary/null";

/** `value` as Temporal stores it. */
export function encode(value: unknown): Payload {
  return {
    metadata: [[ENCODING, bytes(JSON_PLAIN)]],
    data: bytes(JSON.stringify(value)),
  };
}

/** The one value that an activity is given. Its type is a promise of the caller's: look at it before you use it. */
export function decode(payloads: Payload[]): unknown {
  const payload = payloads[0];
  if (payloads.length !== 1 || payload === undefined) {
    throw failure("ValidationError", `${payloads.length} values came in place of one`);
  }
  const encoding = payload.metadata.find(([name]) => name === ENCODING);
  const name = encoding === undefined ? "" : text(encoding[1]);
  if (name === BINARY_NULL) return null;
  if (name !== JSON_PLAIN) {
    throw failure("ValidationError", `encoding "${name}" is not understood here`);
  }
  return JSON.parse(text(payload.data));
}

/** UTF-8. QuickJS has no `TextEncoder`; what it has for addresses does the same. */
function bytes(text: string): Uint8Array {
  const escaped = encodeURIComponent(text);
  const bytes: number[] = [];
  for (let at = 0; at < escaped.length; at += 1) {
    if (escaped[at] === "%") {
      bytes.push(parseInt(escaped.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(escaped.charCodeAt(at));
    }
  }
  return Uint8Array.from(bytes);
}

function text(bytes: Uint8Array): string {
  let escaped = "";
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, "0")}`;
  return decodeURIComponent(escaped);
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
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    throw failure(error.name, payload === undefined ? error.message : JSON.stringify(payload));
  }
}

function isFailure(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "nonRetryable" in thrown;
}
