/** What our Node is to carry, after a turn of the kernel: never more than what is true there. */
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { formatAgent } from '../../mesh/published.ts';
import { formatAnnotations } from '../../mesh/record.ts';
import { adding, IN_CLEAR, isPublished, type Stance } from '../../mesh/stance.ts';
import type { AgentFacts, DeviceName, Mode, NodeRecord } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';

export interface AnnouncementInput {
  /** Of all that we hold. */
  readonly self: NodeRecord;
  readonly stance: Stance;
  readonly report: Report;
  readonly facts: Omit<AgentFacts, 'mode'>;
  /** Whether a node that holds no key says what it runs. */
  readonly publishFacts: boolean;
}

export class Announcement {
  /** Undefined: leave it as it is. */
  wanted: Readonly<Record<string, string>> | undefined;
  /** Generations whose devices answered. */
  #ready: ReadonlySet<number> = new Set();
  #mode: Mode | undefined;

  make({ self, stance, report, facts, publishFacts }: AnnouncementInput): void {
    const mode = this.#inForce(stance, report);
    this.#mode = mode;
    const agent = { ...facts, mode };
    if (!isPublished(stance)) {
      this.#ready = new Set();
      this.wanted = publishFacts ? { [ANNOTATIONS.agent]: formatAgent(agent) } : {};
      return;
    }
    this.#ready = this.#readyNow(stance, report);
    const generations = self.generations.filter(({ number }) => this.#ready.has(number));
    if (generations.length === 0) return;
    const promised = self.sending.filter((number) => number === IN_CLEAR || this.#ready.has(number));
    // The door that was to keep it from sending in clear is not shut.
    const open = stance.mode === 'strict' && mode !== 'strict';
    const sending = open ? adding(promised, IN_CLEAR) : promised;
    this.wanted = formatAnnotations({ ...self, generations, sending, agent });
  }

  /** Others may only hear of a key when the device behind it answers. */
  #readyNow({ held }: Stance, { devices, errors }: Report): ReadonlySet<number> {
    const failures = errors.filter(
      ({ part, node }) => part === 'device' || (part === 'peer' && node === undefined),
    );
    const failed = (name: DeviceName) =>
      failures.some(({ device }) => device === undefined || device === name);
    const there = devices.filter(({ name }) => !failed(name)).map(({ generation }) => generation);
    const ready = held.map(({ number }) => number);
    return new Set(ready.filter((number) => this.#ready.has(number) || there.includes(number)));
  }

  /** Others send in clear once we say that our door is open, and believe us that it is shut. */
  #inForce({ mode }: Stance, { door, errors }: Report): Mode {
    if (mode === 'strict') return door?.shut === false ? 'permissive' : 'strict';
    const stuck = this.#mode === 'strict' && errors.some(({ part }) => part === 'firewall');
    return stuck ? 'strict' : 'permissive';
  }
}
