/** Errors of the dataplane: a stable code, the part and the thing they are about, and the way out. */
import type { DeviceName } from '../mesh/types.ts';
import type { Change, DataplaneError, Part } from './dataplane.ts';

/** A `DataplaneError` that can be thrown. */
export class DataplaneFailure extends Error implements DataplaneError {
  override readonly name = 'DataplaneFailure';
  readonly part: Part;
  readonly code: string;
  declare readonly node?: string;

  constructor(error: DataplaneError) {
    super(error.message, error.cause === undefined ? undefined : { cause: error.cause });
    this.part = error.part;
    this.code = error.code;
    if (error.node !== undefined) Object.assign(this, { node: error.node });
  }
}

/** Collects what one `set` did and what it could not do; one failed item never stops the others. */
export class Outcome {
  readonly changes: Change[];
  readonly errors: DataplaneError[];
  readonly #device: DeviceName | undefined;

  /** @param whole to which this is a part: what is done to one device */
  constructor(whole?: Outcome, device?: DeviceName) {
    this.changes = whole?.changes ?? [];
    this.errors = whole?.errors ?? [];
    this.#device = device;
  }

  about(device: DeviceName): Outcome {
    return new Outcome(this, device);
  }

  changed(change: Change): void {
    this.changes.push(change);
  }

  failed(error: DataplaneError): void {
    this.errors.push(this.#device === undefined ? error : { ...plain(error), device: this.#device });
  }
}

/** An Error's message is not spread. */
const plain = ({ part, code, message, cause, node }: DataplaneError): DataplaneError => ({
  part,
  code,
  message,
  ...(cause === undefined ? {} : { cause }),
  ...(node === undefined ? {} : { node }),
});

/** The kernel's or a program's refusal, told with what it was about. */
export function refused(part: Part, what: string, cause: unknown): DataplaneError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = codeOf(cause) ?? '';
  if (['EPERM', 'EACCES', 'NOT_PERMITTED'].includes(code) || /not permitted/i.test(text)) {
    return {
      part,
      code: 'NOT_PERMITTED',
      message: `${part} ${what}: not permitted; run as root or with CAP_NET_ADMIN`,
      cause,
    };
  }
  return { part, code: `${part.toUpperCase()}_FAILED`, message: `${part} ${what}: ${text}`, cause };
}

export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A change, with `repaired` only where it is so. */
export function change(
  part: Part,
  action: Change['action'],
  details: { what: string; repaired?: boolean },
): Change {
  return {
    part,
    action,
    what: details.what,
    ...(details.repaired === true ? { repaired: true } : {}),
  };
}
