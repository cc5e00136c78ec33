// One file stored by STOW-RS (PS3.18 10.5). Resolves to { result, study } or rejects with a Trouble.

export class Trouble extends Error {
  constructor(key, values = {}) {
    super(key);
    Object.assign(this, { key, values });
  }
}

const ADDRESS = "/dicom-web/studies";
const PREAMBLE = 128;
const STATUSES = { 401: "forbidden", 403: "forbidden", 409: "refused", 413: "large", 503: "full", 507: "full" };

export async function check({ file, path }) {
  if (!file) throw new Trouble("unreadable");
  if (/(^|\/)DICOMDIR$/i.test(path)) throw new Trouble("dicomdir");
  let head;
  try {
    head = new Uint8Array(await file.slice(PREAMBLE, PREAMBLE + 4).arrayBuffer());
  } catch { throw new Trouble("unreadable"); }
  if (String.fromCharCode(...head) !== "DICM") throw new Trouble("not-dicom");
}

function message(file) {
  const boundary = `upload-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  const body = new Blob([`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, `\r\n--${boundary}--\r\n`]);
  return { body, type: `multipart/related; type="application/dicom"; boundary=${boundary}` };
}

function studyOf(text) {
  try {
    const url = JSON.parse(text)["00081199"]?.Value?.[0]?.["00081190"]?.Value?.[0] || "";
    return url.split("/studies/")[1]?.split("/")[0] || "";
  } catch { return ""; }
}

function outcome(request) {
  if (request.status !== 200) throw new Trouble(STATUSES[request.status] || "status", { status: request.status });
  const result = (request.getResponseHeader("Stored-As") || "stored").split("=")[0];
  return { result, study: studyOf(request.responseText) };
}

// XMLHttpRequest, because fetch does not tell how much of a body has left.
export function store(file, { signal, progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const { body, type } = message(file);
    const stop = () => request.abort();
    signal.addEventListener("abort", stop, { once: true });
    request.open("POST", ADDRESS);
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", "application/dicom+json");
    request.upload.addEventListener("progress", (event) => progress(Math.min(event.loaded, file.size)));
    request.addEventListener("load", () => { try { resolve(outcome(request)); } catch (trouble) { reject(trouble); } });
    request.addEventListener("error", () => reject(new Trouble("silent")));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", stop));
    request.send(body);
  });
}
