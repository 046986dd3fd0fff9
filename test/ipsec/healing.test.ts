import assert from 'node:assert/strict';
import type { Address } from '../../mesh/types.ts';
import { type Memory, type Remedy, remedyFor, type Scene } from '../../tunnels/ipsec/healing.ts';
import type { WantedLink } from '../../tunnels/ipsec/link.ts';
import type { ChildSa, IkeSa } from '../../tunnels/ipsec/security.ts';
import type { State } from '../../tunnels/ipsec/xfrm/types.ts';

const OWN = '192.0.2.1' as Address;
const PEER = '192.0.2.2' as Address;
const REQIDS = [100, 101] as const;

const link = (initiates: boolean): WantedLink => ({
  node: 'n2',
  publicKey: 'k' as WantedLink['publicKey'],
  generation: 7,
  initiates,
  prefixes: [],
  lifetime: 3600,
  slots: [slot('a', REQIDS[0]), slot('b', REQIDS[1])],
});
const slot = (name: string, reqid: number) => ({
  connection: { name: `sheath-7-${name}-n2`, child: `child-${name}`, message: {} },
  reqid,
  local: OWN,
  remote: PEER,
});

/** A session in a slot, as charon lists it, and the states that belong to it. */
function session(at: 0 | 1, spi: number, more: { age?: number; bytes?: number; initiator?: boolean } = {}) {
  const { age = 0, bytes = 0, initiator = true } = more;
  const name = `child-${'ab'[at]}`;
  const child: ChildSa = {
    name,
    id: `${spi}`,
    state: 'INSTALLED',
    reqid: REQIDS[at],
    spiIn: spi,
    spiOut: spi + 1,
    installed: age,
    algorithms: '',
    encapsulated: false,
  };
  const sa: IkeSa = {
    name: `sheath-7-${'ab'[at]}-n2`,
    id: `ike-${spi}`,
    state: 'ESTABLISHED',
    initiatorSpi: spi.toString(16).padStart(16, '0'),
    initiator,
    localHost: OWN,
    remoteId: '',
    established: age,
    algorithms: '',
    children: [child],
  };
  const common = { reqid: REQIDS[at], interfaceId: 1, installedAt: 0 };
  const states: State[] = [
    { ...common, spi, source: PEER, destination: OWN, bytes },
    { ...common, spi: spi + 1, source: OWN, destination: PEER, bytes: 0 },
  ];
  return { sa, states };
}

const wayTo = (at: 0 | 1) => ({ reqid: REQIDS[at], local: OWN, remote: PEER });
const scene = (more: Partial<Scene> = {}): Scene => ({
  link: link(true),
  sas: [[], []],
  states: [[], []],
  way: undefined,
  memory: undefined,
  steady: 1_000_000,
  ...more,
});

/** The same scene again and again, each a second later. */
function later(seconds: number, of: Scene): Remedy {
  let memory: Memory | undefined = of.memory;
  for (let second = 0; ; second++) {
    const remedy = remedyFor({ ...of, memory, steady: of.steady + second * 1000 });
    if (second === seconds) return remedy;
    memory = remedy.memory;
  }
}

describe('what is to be done for a link', () => {
  it('the first session is sent by when the other end surely has it, and no other is begun meanwhile', () => {
    const first = (more: Parameters<typeof session>[2]) => {
      const { sa, states } = session(0, 10, more);
      return remedyFor(scene({ link: link(false), sas: [[sa], []], states: [states, []] }));
    };
    const asked = first({ initiator: true });
    assert.deepEqual([asked.way, asked.initiate], [wayTo(0), undefined]);
    const answered = first({ initiator: false, age: 1 });
    assert.deepEqual([answered.way, answered.initiate, answered.settled], [undefined, undefined, false]);
    assert.deepEqual(first({ initiator: false, age: 1, bytes: 100 }).way, wayTo(0));
    assert.deepEqual(first({ initiator: false, age: 2 }).way, wayTo(0));
  });

  it('without a session the lower name initiates at once, the other after a while', () => {
    assert.equal(remedyFor(scene()).initiate, 0);
    assert.equal(remedyFor(scene({ link: link(false) })).initiate, undefined);
    assert.equal(later(9, scene({ link: link(false) })).initiate, undefined);
    assert.equal(later(10, scene({ link: link(false) })).initiate, 0);
  });

  it('tries again after 1, 2, 4, 8, 15, 15 seconds', () => {
    const tries: number[] = [];
    let memory: Memory | undefined;
    for (let second = 0; second < 50; second++) {
      const remedy = remedyFor(scene({ memory, steady: second * 1000 }));
      memory = remedy.memory;
      if (remedy.initiate !== undefined) tries.push(second);
    }
    assert.deepEqual(tries, [0, 1, 3, 7, 15, 30, 45]);
  });

  it('while one is coming there is no other attempt', () => {
    const { sa } = session(0, 10);
    const coming: IkeSa = { ...sa, state: 'CONNECTING', children: [] };
    assert.equal(remedyFor(scene({ sas: [[coming], []] })).initiate, undefined);
  });

  it('sends by the session that there is, and is content', () => {
    const { sa, states } = session(0, 10);
    const remedy = remedyFor(scene({ sas: [[sa], []], states: [states, []] }));
    assert.deepEqual(remedy.way, wayTo(0));
    assert.deepEqual([remedy.initiate, remedy.terminate, remedy.settled], [undefined, [], true]);
  });

  it('when charon was started anew, either end initiates at once, in the other slot, and goes on sending', () => {
    const { states } = session(0, 10);
    for (const initiates of [true, false]) {
      const remedy = remedyFor(scene({ link: link(initiates), states: [states, []], way: wayTo(0) }));
      assert.equal(remedy.initiate, 1);
      assert.deepEqual(remedy.way, wayTo(0));
      assert.deepEqual(remedy.removeStates, []);
    }
  });

  it('who answers sends by the new session only when the other end surely has it', () => {
    const old = session(0, 10, { age: 3600 });
    const by = (more: { age?: number; bytes?: number; initiator?: boolean }) => {
      const fresh = session(1, 20, more);
      return remedyFor(
        scene({ sas: [[old.sa], [fresh.sa]], states: [old.states, fresh.states], way: wayTo(0) }),
      ).way;
    };
    assert.deepEqual(by({ initiator: false }), wayTo(0));
    assert.deepEqual(by({ initiator: false, bytes: 1 }), wayTo(1));
    assert.deepEqual(by({ initiator: false, age: 2 }), wayTo(1));
    assert.deepEqual(by({ initiator: true }), wayTo(1));
  });

  it('a session whose time came is replaced', () => {
    const at = (age: number) => {
      const { sa, states } = session(0, 10, { age });
      return remedyFor(scene({ sas: [[sa], []], states: [states, []], way: wayTo(0) })).initiate;
    };
    assert.deepEqual([at(3599), at(3600)], [undefined, 1]);
  });

  it('the old one is ended when nothing comes by it, and not before', () => {
    const old = session(0, 10, { age: 3600, bytes: 5 });
    const fresh = session(1, 20, { age: 10 });
    const both = { sas: [[old.sa], [fresh.sa]], states: [old.states, fresh.states], way: wayTo(1) } as const;
    assert.deepEqual(later(4, scene(both)).terminate, []);
    assert.deepEqual(later(5, scene(both)).terminate, ['ike-10']);
    assert.deepEqual(later(59, scene({ ...both, link: link(false) })).terminate, []);
    assert.deepEqual(later(60, scene({ ...both, link: link(false) })).terminate, ['ike-10']);
    const moving = later(4, scene(both)).memory;
    const more = session(0, 10, { age: 3600, bytes: 6 }).states;
    const remedy = remedyFor(
      scene({ ...both, states: [more, fresh.states], memory: moving, steady: 1_005_000 }),
    );
    assert.deepEqual(remedy.terminate, []);
  });

  it('of two in one slot, of ends that began at once, none is ended before the slot is not sent by any more', () => {
    const [one, two] = [session(1, 20, { age: 3600 }), session(1, 30, { age: 3600, initiator: false })];
    const states = [...one.states, ...two.states];
    const both = scene({ sas: [[], [one.sa, two.sa]], states: [[], states], way: wayTo(1) });
    const remedy = later(100, both);
    assert.deepEqual([remedy.terminate, remedy.removeStates, remedy.settled], [[], [], true]);
    const next = session(0, 40, { age: 10 });
    const replaced = { ...both, sas: [[next.sa], both.sas[1]], way: wayTo(0) } as const;
    const after = later(5, { ...replaced, states: [next.states, states] });
    assert.deepEqual(after.terminate, ['ike-20', 'ike-30']);
  });

  it('states that no charon knows any more go when they are silent', () => {
    const orphans = session(0, 10).states;
    const fresh = session(1, 20, { age: 10 });
    const found = scene({ sas: [[], [fresh.sa]], states: [orphans, fresh.states], way: wayTo(1) });
    assert.deepEqual(later(4, found).removeStates, []);
    assert.deepEqual(later(5, found).removeStates, orphans);
  });

  it('what charon believes to be there and the kernel has not is ended, and made anew', () => {
    const { sa } = session(0, 10, { age: 60 });
    const remedy = remedyFor(scene({ sas: [[sa], []], way: wayTo(0) }));
    assert.deepEqual(remedy.terminate, ['ike-10']);
    assert.equal(remedy.initiate, 1);
    // Listed a moment before its states were read.
    const fresh = session(0, 10, { age: 1 });
    assert.deepEqual(remedyFor(scene({ sas: [[fresh.sa], []] })).terminate, []);
  });
});
