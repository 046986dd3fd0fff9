/** Three machines with a driver, each a peer of the others, and what their pods lose. */
import assert from 'node:assert/strict';
import type { Observation } from '../../../mesh/types.ts';
import type { Report } from '../../../tunnels/dataplane.ts';
import { DEFAULT_IPSEC } from '../../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines } from '../ipsec/machines.ts';
import type { IpsecShape } from '../ipsec/shape.ts';
import { during, type Flow, podOf, podOf6 } from '../ipsec/traffic.ts';

export const DRIVERS = ['wireguard', 'ipsec'] as const;
export type Driver = (typeof DRIVERS)[number];

export const ALL = [1, 2, 3];
/** Both families, each node with each. */
const FLOWS: readonly Flow[] = [
  [1, podOf(2)],
  [2, podOf(3)],
  [3, podOf6(1)],
];

/** What a shape says beside who is there. */
export type More = Partial<IpsecShape>;

export class DriverMesh {
  readonly driver: Driver;
  readonly machines: Machines;

  constructor(driver: Driver) {
    this.driver = driver;
    this.machines = new Machines(3, DEFAULT_IPSEC);
  }

  at(number: number): Machine {
    return this.machines.at(number - 1);
  }

  shape(self: number, more: More = {}): IpsecShape {
    const shape = { self, peers: ALL.filter((n) => n !== self), generations: [7], keepalive: 1, ...more };
    return this.driver === 'wireguard' ? { ...shape, wireguard: shape.generations } : shape;
  }

  async set(self: number, more: More = {}): Promise<Report> {
    const report = await this.at(self).set(this.shape(self, more));
    assert.deepEqual(report.errors, []);
    return report;
  }

  async setAll(more: More = {}): Promise<Report[]> {
    return Promise.all(ALL.map((self) => this.set(self, more)));
  }

  /** Sessions of a generation with so many peers. */
  established(self: number, { generation = 7, peers = 2 } = {}): Promise<Observation[]> {
    return eventually(async () => {
      const seen = (await this.at(self).observe()).filter((one) => one.generation === generation);
      const now = seen.filter(({ lastHandshake }) => lastHandshake !== undefined);
      assert.equal(now.length, peers, `n${self} has sessions with ${now.length} of ${peers}`);
      return now;
    }, 40);
  }

  async allEstablished(generation = 7): Promise<void> {
    for (const self of ALL) await this.established(self, { generation });
  }

  /** @returns how many packets were lost of 250 a second, in all */
  async lost(seconds: number, happens?: () => Promise<unknown>): Promise<number> {
    const lost = await during(FLOWS, seconds, happens);
    return lost.reduce((sum, one) => sum + one, 0);
  }

  async wellAgain(more: More = {}): Promise<void> {
    await this.setAll(more);
    await eventually(async () => assert.equal(await this.lost(1), 0), 40);
  }

  /** With what no desired state has. */
  async takeBack(self: number): Promise<void> {
    await eventually(async () => {
      const { pending, errors } = await this.at(self).set({ self, peers: [], generations: [] });
      assert.deepEqual([pending, errors], [[], []]);
    });
  }

  close(): Promise<void> {
    return this.machines.close();
  }
}

/** All that a driver may touch, as the machine's own programs print it. */
export function snapshot(machine: Machine): string {
  const states = machine.on('ip xfrm state').split(/\n(?=src )/);
  // One without an SPI is what the kernel itself waits for, and forgets after half a minute; nobody can remove it.
  const made = states.filter((state) => state !== '' && !state.includes('spi 0x00000000'));
  const rest = machine.on(`
    ip -o link | sed -E "s/^[0-9]+: //; s/ state .*//"
    ip rule; ip -6 rule
    ip -4 route show table all; ip -6 route show table all | grep -v -e fe80 -e ff00
    nft list ruleset
    ip xfrm policy
  `);
  return [rest, ...made].join('\n');
}
