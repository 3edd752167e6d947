"""Which classifiers are judged: names of torchvision's and timm's models, with the side of their picture in pixels."""

# Sizes at which networks are quick and still have several cells at their last layers.
TORCHVISION = """
alexnet 224  vgg11 224  vgg11_bn 224  vgg13 224  vgg13_bn 224  vgg16 224  vgg16_bn 224  vgg19 224  vgg19_bn 224
resnet18 64  resnet34 64  resnet50 64  resnet101 64  resnet152 64  resnext50_32x4d 64  resnext101_32x8d 64
resnext101_64x4d 64  wide_resnet50_2 64  wide_resnet101_2 64  squeezenet1_0 64  squeezenet1_1 64
densenet121 64  densenet161 64  densenet169 64  densenet201 64  googlenet 96  inception_v3 128
mobilenet_v2 96  mobilenet_v3_small 96  mobilenet_v3_large 96
mnasnet0_5 96  mnasnet0_75 96  mnasnet1_0 96  mnasnet1_3 96
shufflenet_v2_x0_5 96  shufflenet_v2_x1_0 96  shufflenet_v2_x1_5 96  shufflenet_v2_x2_0 64
efficientnet_b0 96  efficientnet_b1 64  efficientnet_b2 64  efficientnet_b3 64  efficientnet_b4 64  efficientnet_b5 64
efficientnet_b6 64  efficientnet_b7 64  efficientnet_v2_s 96  efficientnet_v2_m 64  efficientnet_v2_l 64
regnet_y_400mf 96  regnet_y_800mf 64  regnet_y_1_6gf 64  regnet_y_3_2gf 64  regnet_y_8gf 64  regnet_y_16gf 64
regnet_x_400mf 64  regnet_x_800mf 96  regnet_x_1_6gf 64  regnet_x_3_2gf 64  regnet_x_8gf 64  regnet_x_16gf 64
convnext_tiny 96  convnext_small 64  convnext_base 64  maxvit_t 224  vit_b_16 224  vit_b_32 224
swin_t 64  swin_s 64  swin_v2_t 64
"""

TIMM = """
resnet10t 64  resnet26d 64  seresnet33ts 64  ecaresnet26t 64  resnetblur18 64  skresnet18 64  res2net50_26w_4s 64
selecsls42b 96  cspresnet50 64  cspdarknet53 64  darknet53 64  dla34 64  dpn68 64  hardcorenas_a 64  hrnet_w18_small 64
gluon_inception_v3 96  inception_v4 96  inception_resnet_v2 96  xception41 96  legacy_xception 96  mixnet_s 64
mobilenetv1_100 64  mobilenetv4_conv_small 64  mobilenetv3_small_075 64  efficientnet_lite0 64  efficientnetv2_rw_t 160
tf_efficientnet_b0 64  tinynet_a 64  lcnet_050 64  fbnetc_100 64  mnasnet_small 64  spnasnet_100 64  ghostnet_100 64
ghostnetv2_100 64  rexnet_100 64  regnetx_004 64  regnety_004 64  regnetz_040 64  repvgg_a0 64  mobileone_s0 64
fastvit_t8 128  repghostnet_050 64  convnext_atto 64  convnextv2_atto 64  convmixer_768_32 64  nfnet_f0 64
nf_regnet_b0 64  poolformer_s12 64  edgenext_xx_small 96  mobilevit_xxs 128  mobilevitv2_050 64  vovnet39a 64
ese_vovnet19b_dw 64  nasnetalarge 96  pnasnet5large 96  levit_128s 224  efficientformer_l1 224
coatnet_nano_rw_224 224  focalnet_tiny_srf 96  inception_next_tiny 64  rdnet_tiny 64  starnet_s1 64  hgnetv2_b0 64
pvt_v2_b0 96  visformer_tiny 224  gernet_s 64  resnest14d 64  densenet121 64  vgg11_bn 224  cs3darknet_s 64
repvit_m0_9 96  tresnet_m 64  mambaout_femto 64  swiftformer_xs 224
legacy_seresnet18 64  legacy_seresnext26_32x4d 64  seresnext26d_32x4d 64  resnetv2_50 64  resnetv2_50x1_bit 64
resnetaa50 64  resnetrs50 64  ecaresnet50t 64  botnet26t_256 256  halonet26t 256  lambda_resnet26t 256
gcresnet33ts 64  gcresnext26ts 64  eca_resnext26ts 64  sebotnet33ts_256 256  regnetv_040 64  tf_efficientnetv2_b0 64
efficientnet_es 64  efficientnet_cc_b0_4e 64  hgnet_tiny 64  dm_nfnet_f0 64  eca_nfnet_l0 64  nf_resnet50 64
tf_mobilenetv3_small_075 64  tf_mixnet_s 64  dla46_c 64  dla60_res2net 64  dpn92 64  ese_vovnet39b 64  hardcorenas_f 64
cs3sedarknet_l 64  cs3edgenet_x 64  cspresnext50 64  darknetaa53 64  mobilenetv4_hybrid_medium 96
mobilenet_edgetpu_v2_xs 64  mobilenetv2_050 64  mobilenetv3_large_100 64  repvit_m1 64  repvgg_b0 64  mobileone_s1 64
efficientvit_b0 64  efficientvit_m0 224  fasternet_t0 64  ghostnetv3_050 64  inception_next_atto 64  nextvit_small 64
regnetx_002 64  regnety_002 64  regnetz_b16 64  res2next50 64  resnest26d 64  rexnetr_200 64  semnasnet_075 64
shvit_s1 224  skresnext50_32x4d 64  starnet_s050 64  xception65 96  convnextv2_femto 64  convformer_s18 64
caformer_s18 64  efficientformerv2_s0 224  poolformerv2_s12 64  hrnet_w18 64  dla60x 64
densenetblur121d 64  bat_resnext26ts 256  convnext_femto 64  edgenext_x_small 96  mobilevitv2_100 64
mobilevit_xs 128  tresnet_v2_l 64
vit_tiny_patch16_224 224  deit_tiny_patch16_224 224  mixer_s32_224 224  swin_tiny_patch4_window7_224 224
"""


def listed(text):
    words = text.split()
    return {name: int(size) for name, size in zip(words[::2], words[1::2])}


SIZES = {"torchvision": listed(TORCHVISION), "timm": listed(TIMM)}


def make(library, name):
    """The network with weights as it begins its training, for ten classes."""
    if library == "timm":
        import timm

        return timm.create_model(name, pretrained=False, num_classes=10)
    import torchvision

    more = dict(init_weights=False) if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, num_classes=10, **more)
