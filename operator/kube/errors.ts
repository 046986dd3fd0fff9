/** What can go wrong between us and the API server, as codes to decide by. */

export type KubeErrorCode =
  /** No answer: refused, reset, timed out, name not found, TLS. */
  | 'API_UNREACHABLE'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  /** The resource version is too old: list again. */
  | 'GONE'
  | 'INVALID'
  | 'TOO_MANY_REQUESTS'
  | 'SERVER_ERROR'
  /** An answer that is none: no JSON, cut off, or not of the kind asked for. */
  | 'MALFORMED';

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** Milliseconds the server asks to wait (`Retry-After`). */
  readonly retryAfter?: number;

  constructor(
    code: KubeErrorCode,
    message: string,
    detail: { cause?: unknown; status?: number; retryAfter?: number } = {},
  ) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause });
    this.code = code;
    if (detail.status !== undefined) this.status = detail.status;
    if (detail.retryAfter !== undefined) this.retryAfter = detail.retryAfter;
  }
}

const BY_STATUS: Readonly<Record<number, KubeErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  410: 'GONE',
  429: 'TOO_MANY_REQUESTS',
};

export function codeOfStatus(status: number): KubeErrorCode {
  return BY_STATUS[status] ?? (status >= 500 ? 'SERVER_ERROR' : 'INVALID');
}

/** From a `Status` object of the API, or whatever text came instead. `what` is method and path. */
export function statusError(what: string, status: number, body: string, retryAfter?: string): KubeError {
  const seconds = Number(retryAfter);
  return new KubeError(codeOfStatus(status), `${what}: HTTP ${status}${detailOf(body)}`, {
    status,
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfter: seconds * 1000 } : {}),
  });
}

function detailOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed)
      return `, ${String(parsed.message)}`;
  } catch {
    // Not a Status object: its beginning says more than nothing.
  }
  const text = body.trim().slice(0, 200);
  return text === '' ? '' : `, ${text}`;
}

export function unreachable(what: string, cause: unknown): KubeError {
  return new KubeError('API_UNREACHABLE', `${what}: ${reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // An attempt on several addresses fails with an AggregateError without a message of its own.
  if (cause.message === '' && cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause.message;
}
