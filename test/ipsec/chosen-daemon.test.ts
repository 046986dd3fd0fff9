/** Which charon is asked, when the configuration names another; and one that does not answer. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CharonConfig } from '../../tunnels/ipsec/charon.ts';
import { ChosenDaemon, hostSocketOf } from '../../tunnels/ipsec/chosen-daemon.ts';
import { FakeCharon, response } from './vici/fake-charon.ts';

const config: CharonConfig = { fwmark: 0x1000, ports: { ike: 500, natt: 4500 } };

describe('the charon that is asked', () => {
  let folder: string;
  let hosts: readonly [FakeCharon, FakeCharon];
  let vici: string | undefined;
  let now: number;
  let daemon: ChosenDaemon;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sheath-chosen-'));
    hosts = [new FakeCharon(), new FakeCharon()];
    for (const [i, host] of hosts.entries()) {
      host.script = (_command, _message, reply) => reply(response({ name: `host ${i}` }));
      await host.start();
    }
    vici = hosts[0].path;
    now = 0;
    daemon = new ChosenDaemon({
      vici: () => vici,
      folder: join(folder, 'ipsec'),
      program: join(folder, 'nowhere'),
      steady: () => now,
      patience: 50,
    });
  });
  afterEach(async () => {
    daemon.close();
    for (const host of hosts) await host.end();
    rmSync(folder, { recursive: true });
  });

  const asked = async () => (await daemon.client.request('version')).name;

  it('is the one of now: another one has another epoch, and the same listeners', async () => {
    const heard: unknown[] = [];
    const closing = new AbortController();
    await daemon.ready(config);
    await daemon.client.subscribe('child-updown', (message) => void heard.push(message), closing.signal);
    assert.equal(await asked(), 'host 0');
    const { epoch } = daemon;
    vici = hosts[1].path;
    await daemon.ready(config);
    assert.equal(await asked(), 'host 1');
    assert.notEqual(daemon.epoch, epoch);
    assert.deepEqual([...hosts[1].registered], ['child-updown']);
    closing.abort();
  });

  it("is noted while it is the host's, for whoever takes everything back", async () => {
    const at = join(folder, 'ipsec');
    assert.equal(hostSocketOf(at), undefined);
    await daemon.ready(config);
    assert.equal(hostSocketOf(at), hosts[0].path);
    await daemon.stop();
    assert.equal(hostSocketOf(at), undefined);
  });

  it('one of our own that is not there is said so, each time, and nothing is noted', async () => {
    vici = undefined;
    for (let i = 0; i < 3; i += 1) await assert.rejects(daemon.ready(config), { code: 'CHARON_MISSING' });
    assert.equal(await daemon.alive(), false);
    assert.equal(existsSync(join(folder, 'ipsec', 'host-vici')), false);
  });

  it('one that does not answer costs its time once; when it does, it is another', async () => {
    let questions = 0;
    let well = false;
    const waiting: (() => void)[] = [];
    hosts[0].script = (_command, _message, reply) => {
      questions += 1;
      if (well) return reply(response({}));
      now += 5000;
      waiting.push(() => reply(response({})));
    };
    await assert.rejects(daemon.ready(config), { code: 'CHARON_FAILED', message: /does not answer/ });
    await assert.rejects(daemon.ready(config), { code: 'CHARON_FAILED' });
    assert.equal(await daemon.alive(), false);
    await assert.rejects(daemon.client.request('stats'), { code: 'CHARON_FAILED' });
    assert.equal(questions, 1);
    well = true;
    const { epoch } = daemon;
    for (const answer of waiting) answer();
    while (daemon.epoch === epoch) await sleep(5);
    await daemon.ready(config);
    assert.equal(await daemon.alive(), true);
  });

  it("one of our own, even one that hangs, makes room for the host's", async () => {
    vici = undefined;
    writeFileSync(join(folder, 'nowhere'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o700 });
    await assert.rejects(daemon.ready(config), { code: 'CHARON_FAILED' });
    const pid = Number.parseInt(readFileSync(join(folder, 'ipsec/charon.pid'), 'utf8'), 10);
    assert.ok(existsSync(`/proc/${pid}`));
    vici = hosts[0].path;
    await daemon.ready(config);
    assert.equal(await asked(), 'host 0');
    assert.ok(!existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  });

  it('what it refuses, however late, is an answer', async () => {
    hosts[0].script = (command, _message, reply) => {
      now += 5000;
      reply(response(command === 'load-conn' ? { success: 'no', errmsg: 'not that' } : {}));
    };
    await assert.rejects(daemon.client.request('load-conn'), { code: 'VICI_REFUSED' });
    assert.equal(await daemon.alive(), true);
  });
});
