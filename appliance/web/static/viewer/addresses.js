// Where the appliance draws pictures (PS3.18 10.4.1.1.3): every window but the picture's own is asked for by value.

const ROOT = "/dicom-web/studies";

export function instanceAddress(study, series, instance) {
  return `${ROOT}/${study}/series/${series}/instances/${instance}`;
}

export function windowText(window) {
  const short = (number) => String(Number(number.toPrecision(9)));
  // A linear window is never narrower than 1 (PS3.3 C.11.2.1.2.1); a PET's values may all lie below that.
  return `${short(window.center)},${short(window.width)},${window.width < 1 ? "linear-exact" : "linear"}`;
}

export function frameAddress(picture, window, { png = false, edge = 0 } = {}) {
  const asked = [];
  if (window) asked.push(`window=${windowText(window)}`);
  if (edge) asked.push(`viewport=${edge},${edge}`);
  asked.push(png ? "accept=image/png" : "accept=image/jpeg&quality=92");
  const place = instanceAddress(picture.study, picture.series, picture.instance);
  return `${place}/frames/${picture.frame}/rendered?${asked.join("&")}`;
}

export function thumbnailAddress(study, series) {
  return `${ROOT}/${study}/series/${series}/thumbnail?viewport=96,96`;
}
