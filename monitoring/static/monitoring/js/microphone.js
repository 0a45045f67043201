// The microphone of an annotation session: 16 kHz, 16 bit, mono, in chunks of 100 ms, over one WebSocket.

const RATE = 16_000;
const WORKLET = new URL("./microphone-worklet.js", import.meta.url);

/** Why this browser has no microphone for us, in words; empty where it has one. */
export function whyNot() {
  if (!window.isSecureContext) return "The browser gives a microphone to pages that come over https only.";
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) return "This browser gives pages no microphone.";
  return "";
}

export class Microphone {
  /** changed(isOn) when it goes on or off; refused(text) when something has to be said. */
  constructor(key, { changed, refused }) {
    this.key = key;
    this.changed = changed;
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
    } catch (problem) {
      this.stop();
      this.refused(problem.name === "NotAllowedError" ? "The microphone was not allowed." : "There is no microphone to use.");
      return;
    }
    if (!this.isOn) return this.#letGo(); // stopped while it was asked for
    this.#connect();
    const node = new AudioWorkletNode(this.audio, "chunks");
    node.port.onmessage = ({ data }) => this.socket?.readyState === WebSocket.OPEN && this.socket.send(data);
    this.audio.createMediaStreamSource(this.media).connect(node);
    this.changed(true);
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/session/${encodeURIComponent(this.key)}/audio`);
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.ok) this.acked += 1;
      else this.refused(answer.error);
    };
    socket.onclose = () => socket === this.socket && this.stop();
  }

  stop() {
    if (!this.isOn) return;
    this.isOn = false;
    this.#letGo();
    this.changed(false);
  }

  #letGo() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.audio?.close();
    this.audio = null;
    for (const track of this.media?.getTracks() ?? []) track.stop();
    this.media = null;
  }
}
