"""Full-reference quality metrics on luma: PSNR, PSNR-S, SSIM, MS-SSIM, VIFP, PSNR-HVS, PSNR-HVS-M."""
