// How OHIF works on this appliance: one source of studies, the appliance itself, and nothing from elsewhere.
window.config = {
  name: 'dicom-edge-appliance',
  routerBasename: '/ohif',
  extensions: [],
  modes: [],
  // The appliance has a study list of its own.
  showStudyList: false,
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  allowMultiSelectExport: false,
  investigationalUseDialog: { option: 'never' },
  // HTTP/1.1: a browser opens six connections, and what a reader scrolls to goes first.
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 6 },
  showErrorDetails: 'always',
  // Neither settings, studies nor customizations come from an address in the URL.
  dangerouslyUseDynamicConfig: { enabled: false },
  whiteLabeling: {
    createLogoComponentFn: (React) =>
      React.createElement(
        'a',
        { href: '/', className: 'text-foreground px-2 text-base no-underline', title: 'Study list' },
        '\u2190 Study list'
      ),
  },
  // Who is on the screen is always to be seen.
  showPatientInfo: 'visible',
  customizationService: [
    {
      // No guided tour between a reader and the images.
      'ohif.tours': { $set: [] },
      'cornerstone.windowLevelPresets': {
        $set: {
          CT: [
            { id: 'ct-soft-tissue', description: 'Soft tissue', window: '400', level: '40' },
            { id: 'ct-lung', description: 'Lung', window: '1500', level: '-600' },
            { id: 'ct-bone', description: 'Bone', window: '2500', level: '480' },
            { id: 'ct-brain', description: 'Brain', window: '80', level: '40' },
            { id: 'ct-subdural', description: 'Subdural', window: '240', level: '80' },
            { id: 'ct-stroke', description: 'Stroke', window: '40', level: '40' },
            { id: 'ct-liver', description: 'Liver', window: '150', level: '90' },
            { id: 'ct-mediastinum', description: 'Mediastinum', window: '350', level: '50' },
            { id: 'ct-angiography', description: 'Angiography', window: '600', level: '300' },
          ],
          CR: [
            { id: 'cr-12', description: '12 bits', window: '4096', level: '2048' },
            { id: 'cr-10', description: '10 bits', window: '1024', level: '512' },
          ],
          DX: [
            { id: 'dx-14', description: '14 bits', window: '16384', level: '8192' },
            { id: 'dx-12', description: '12 bits', window: '4096', level: '2048' },
          ],
          MR: [
            { id: 'mr-narrow', description: 'Narrow', window: '400', level: '200' },
            { id: 'mr-medium', description: 'Medium', window: '800', level: '400' },
            { id: 'mr-wide', description: 'Wide', window: '1600', level: '800' },
          ],
          PT: [
            { id: 'pt-5', description: 'SUV 0-5', window: '5', level: '2.5' },
            { id: 'pt-10', description: 'SUV 0-10', window: '10', level: '5' },
            { id: 'pt-15', description: 'SUV 0-15', window: '15', level: '7.5' },
          ],
        },
      },
    },
  ],
  defaultDataSourceName: 'appliance',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'appliance',
      configuration: {
        friendlyName: 'DICOM edge appliance',
        name: 'appliance',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/wado',
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsReject: false,
        supportsStow: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'thumbnail',
        thumbnailRequestStrategy: 'fetch',
        enableStudyLazyLoad: true,
        // Frames as they are stored; the appliance decodes what the browser cannot.
        requestTransferSyntaxUID: '*',
        omitQuotationForMultipartRequest: true,
        singlepart: 'bulkdata,pdf,video',
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
      },
    },
  ],
};
