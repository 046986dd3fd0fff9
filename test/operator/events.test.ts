import assert from 'node:assert/strict';
import { tellingOnNode } from '../../operator/agent/node-events.ts';
import { Problems } from '../../operator/agent/problems.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { EventWriter, type SaidEvent } from '../../operator/kube/events.ts';
import { VirtualClock } from './virtual-clock.ts';

const SAID: SaidEvent = {
  about: { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1' },
  type: 'Warning',
  reason: 'NotEncrypted',
  message: 'n1 sends in clear',
};

interface Written {
  readonly what: 'create' | 'merge';
  readonly path: string;
  readonly body: Record<string, unknown>;
}

describe('the writer of Events', () => {
  let clock: VirtualClock;
  let written: Written[];
  let refuse: KubeError[];
  let troubles: unknown[];
  let events: EventWriter;

  beforeEach(() => {
    clock = new VirtualClock();
    [written, refuse, troubles] = [[], [], []];
    const write = (what: Written['what']) => async (path: string, body: object) => {
      const error = refuse.shift();
      if (error !== undefined) throw error;
      written.push({ what, path, body: body as Written['body'] });
      return {};
    };
    events = new EventWriter({
      client: { create: write('create'), merge: write('merge') },
      component: 'sheath-controller',
      instance: 'pod-1',
      clock,
      random: () => 0.5,
      onTrouble: (error) => troubles.push(error),
    });
  });
  afterEach(() => events.close());

  it('writes one in the namespace default, about what it concerns', async () => {
    events.say(SAID);
    await clock.advance(10);
    const [first] = written;
    assert.equal(written.length, 1);
    assert.equal(first?.path, '/api/v1/namespaces/default/events');
    const { involvedObject, reason, count, reportingComponent, source } = first.body;
    assert.deepEqual(involvedObject, SAID.about);
    assert.deepEqual({ reason, count }, { reason: 'NotEncrypted', count: 1 });
    assert.equal(reportingComponent, 'sheath-controller');
    assert.deepEqual(source, { component: 'sheath-controller' });
  });

  it('counts what is said again, once a minute', async () => {
    for (let second = 0; second < 150; second += 1) {
      events.say(SAID);
      await clock.advance(1_000);
    }
    await clock.advance(60_000);
    assert.deepEqual(
      written.map(({ what, body }) => [what, body.count]),
      [
        ['create', 1],
        ['merge', 60],
        ['merge', 120],
        ['merge', 150],
      ],
    );
  });

  it('begins anew after ten minutes of silence, and when the Event is gone', async () => {
    events.say(SAID);
    await clock.advance(601_000);
    events.say(SAID);
    await clock.advance(70_000);
    refuse.push(new KubeError('NOT_FOUND', 'gone'));
    events.say(SAID);
    await clock.advance(70_000);
    assert.deepEqual(
      written.map(({ what, body }) => [what, body.count]),
      [
        ['create', 1],
        ['create', 1],
        ['create', 2],
      ],
    );
  });

  it('does not flood the API server', async () => {
    for (let i = 0; i < 200; i += 1) events.say({ ...SAID, message: `number ${i}` });
    await clock.advance(1_000);
    assert.equal(written.length, 25);
    await clock.advance(60_000);
    assert.equal(written.length, 31);
  });

  it('gives up after some tries, at once when it is forbidden, and says so once', async () => {
    const away = () => new KubeError('API_UNREACHABLE', 'away');
    refuse.push(away(), away(), new KubeError('FORBIDDEN', 'no'));
    events.say(SAID);
    events.say({ ...SAID, message: 'another' });
    await clock.advance(60_000);
    assert.equal(troubles.length, 1);
    assert.equal(written.length, 1);
    refuse.push(away(), away(), away(), away());
    events.say({ ...SAID, message: 'a third' });
    await clock.advance(60_000);
    assert.equal(written.length, 1);
    assert.equal(refuse.length, 1);
  });

  it('tells of what is wrong with a node, on its Node, and not of its peers nor of the way to the API server', async () => {
    const silent = { warn() {}, info() {} };
    const own = () => ({ name: 'n1', uid: 'u1' });
    const log = tellingOnNode({ log: silent, events, own, clock, random: () => 0.5 });
    const problems = new Problems(clock, log);
    problems.found('kernel', [
      { code: 'PORT_TAKEN', message: 'another socket listens on UDP port 51831' },
      { code: 'ROUTE_FAILED', node: 'n2', message: 'of a peer' },
    ]);
    problems.found('records', [{ code: 'API_UNREACHABLE', message: 'away' }]);
    await clock.advance(4_000);
    assert.equal(written.length, 0);
    await clock.advance(30_000);
    assert.deepEqual(
      written.map(({ body }) => [body.involvedObject, body.reason]),
      [[SAID.about, 'PortTaken']],
    );
  });
});
