// The microphone of an annotation session: 16 kHz, 16 bit, mono, in chunks of 100 ms, over one WebSocket.

const RATE = 16_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 20_000;
const LOST = new Set([1001, 1005, 1006, 1012, 4012]); // the network, or a server that comes back
const WORKLET = new URL("./microphone-worklet.js", import.meta.url);

/** Why this browser has no microphone for us, in words; empty where it has one. */
export function whyNot() {
  if (!window.isSecureContext) return "The browser gives a microphone to pages that come over https only.";
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) return "This browser gives pages no microphone.";
  return "";
}

export class Microphone {
  /** changed(isOn) when it goes on or off, waiting(bool) for the network; refused(text): it has to be said. */
  constructor(key, { changed, waiting, refused }) {
    this.key = key;
    this.changed = changed;
    this.waiting = waiting;
    this.refused = refused;
    this.isOn = false;
    this.acked = 0;
  }

  async start() {
    if (this.isOn) return;
    this.isOn = true;
    try {
      this.media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
      this.audio = new AudioContext({ sampleRate: RATE });
      await this.audio.audioWorklet.addModule(WORKLET);
      await this.audio.resume(); // some phones begin asleep
      const node = new AudioWorkletNode(this.audio, "chunks");
      node.port.onmessage = ({ data }) => this.socket?.readyState === WebSocket.OPEN && this.socket.send(data);
      this.audio.createMediaStreamSource(this.media).connect(node);
    } catch (problem) {
      if (!this.isOn) return this.#letGo(); // stopped while it was asked for
      this.stop();
      this.refused(problem.name === "NotAllowedError" ? "The microphone was not allowed." : "There is no microphone to use.");
      return;
    }
    if (!this.isOn) return this.#letGo();
    this.attempt = 0;
    this.#connect();
    this.changed(true);
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/session/${encodeURIComponent(this.key)}/audio`);
    this.socket = socket;
    socket.onopen = () => socket === this.socket && this.waiting(false);
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.code === "session_over") return; // the page says so itself, calmly
      if (!answer.ok) return this.refused(answer.error);
      this.acked += 1;
      this.attempt = 0;
    };
    socket.onclose = ({ code }) => socket === this.socket && (LOST.has(code) ? this.#connectLater() : this.stop());
  }

  /** Stays on while the network is away; what is said meanwhile is not heard. */
  #connectLater() {
    this.socket = null;
    this.waiting(true);
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempt);
    this.attempt += 1;
    this.retry = setTimeout(() => this.#connect(), pause);
  }

  stop() {
    if (!this.isOn) return;
    this.isOn = false;
    this.#letGo();
    this.waiting(false);
    this.changed(false);
  }

  #letGo() {
    clearTimeout(this.retry);
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.audio?.close();
    this.audio = null;
    for (const track of this.media?.getTracks() ?? []) track.stop();
    this.media = null;
  }
}
