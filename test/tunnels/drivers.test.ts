/** Two drivers as one: what goes wrong with the one is nothing to the other. */
import assert from 'node:assert/strict';
import type { DeviceName, DevicePlan, Observation } from '../../mesh/types.ts';
import type { DeviceRequest, TunnelDriver } from '../../tunnels/driver.ts';
import { combineDrivers } from '../../tunnels/drivers.ts';
import { Outcome } from '../../tunnels/failure.ts';
import type { Link } from '../../tunnels/netlink/types.ts';
import { key } from '../mesh/fixtures.ts';

const LOOK = { generation: 7, look: true };

class Puppet implements TunnelDriver {
  readonly device: DeviceName;
  readonly kind: string;
  readonly calls: string[] = [];
  trouble: Error | undefined;
  received = 0;

  constructor(device: DeviceName, kind: string) {
    this.device = device;
    this.kind = kind;
  }

  implementation({ kind }: Link) {
    return kind === this.kind ? ('kernel' as const) : undefined;
  }

  async create({ name }: DevicePlan): Promise<void> {
    this.#did(`create ${name}`);
  }

  async refresh({ device }: DeviceRequest): Promise<void> {
    this.#did(`refresh ${device.name}`);
  }

  async configure({ device }: DeviceRequest): Promise<void> {
    this.#did(`configure ${device.name}`);
  }

  async prune(device: DeviceName): Promise<void> {
    this.#did(`prune ${device}`);
  }

  async observe(device: DeviceName): Promise<readonly Observation[]> {
    if (device !== this.device) return [];
    this.#did(`observe ${device}`);
    const [generation, publicKey] = [device === 'sheath1' ? 7 : 8, key(this.kind)];
    return [{ device, generation, publicKey, receivedBytes: ++this.received, sentBytes: 0 }];
  }

  disturbed(): boolean {
    return false;
  }

  forget(): void {}

  close(): void {}

  #did(what: string): void {
    if (this.trouble !== undefined) throw this.trouble;
    this.calls.push(what);
  }
}

const requestOf = (name: DeviceName, driver: DevicePlan['driver']): DeviceRequest =>
  ({ device: { name, driver, generation: name === 'sheath1' ? 7 : 8 } }) as DeviceRequest;

describe('both drivers', () => {
  let wireguard: Puppet;
  let ipsec: Puppet;
  let both: TunnelDriver;
  beforeEach(() => {
    wireguard = new Puppet('sheath1', 'wireguard');
    ipsec = new Puppet('sheath0', 'xfrm');
    both = combineDrivers({ wireguard, ipsec });
  });

  const received = async (device: DeviceName, generation: number) =>
    (await both.observe(device, { ...LOOK, generation })).map(({ receivedBytes }) => receivedBytes);

  it('each device is its own driver’s', async () => {
    const outcome = new Outcome();
    for (const [name, driver] of [
      ['sheath1', 'wireguard'],
      ['sheath0', 'ipsec'],
    ] as const) {
      await both.refresh(requestOf(name, driver));
      await both.configure(requestOf(name, driver), outcome);
      await both.prune(name, outcome);
    }
    assert.deepEqual(wireguard.calls, ['refresh sheath1', 'configure sheath1', 'prune sheath1']);
    assert.deepEqual(ipsec.calls, ['refresh sheath0', 'configure sheath0', 'prune sheath0']);
  });

  it('a link of the one kind is none of the other driver’s', () => {
    const link = { index: 1, name: 'sheath1', kind: 'xfrm', mtu: 1400, up: true } as Link;
    assert.equal(both.implementation(link), 'kernel');
    assert.equal(both.implementation(link, 'ipsec'), 'kernel');
    assert.equal(both.implementation(link, 'wireguard'), undefined);
  });

  for (const ill of ['wireguard', 'ipsec'] as const) {
    it(`what ${ill} cannot read is as it was, and is told with its device alone`, async () => {
      const [one, other] = ill === 'ipsec' ? [ipsec, wireguard] : [wireguard, ipsec];
      const [generation, others] = ill === 'ipsec' ? [8, 7] : [7, 8];
      assert.deepEqual(await received(one.device, generation), [1]);
      one.trouble = new Error('it is ill');
      assert.deepEqual(await received(one.device, generation), [1]);
      assert.deepEqual(await received(other.device, others), [1]);
      assert.deepEqual(await received(other.device, others), [2]);
      const outcome = new Outcome();
      one.trouble = undefined;
      await both.configure(requestOf(one.device, ill), outcome.about(one.device));
      assert.deepEqual(
        outcome.errors.map(({ device, message }) => [device, /it is ill/.test(message)]),
        [[one.device, true]],
      );
      assert.deepEqual(await received(one.device, generation), [2]);
      await both.configure(requestOf(one.device, ill), outcome);
      assert.equal(outcome.errors.length, 1);
    });
  }

  it('of a device made anew nothing is remembered', async () => {
    await received('sheath0', 8);
    ipsec.trouble = new Error('it is ill');
    assert.deepEqual(await received('sheath0', 10), []);
    both.forget('sheath0');
    assert.deepEqual(await received('sheath0', 8), []);
  });
});
